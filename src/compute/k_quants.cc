#include "compute/k_quants.h"

#include <cstring>

#include "compute/float_conversion.h"

namespace tandem::compute {
namespace {

constexpr int kScaleBytes = 12;
constexpr int kHighBytes = 32;  // Of Q5_K: one bit of each element.

const uint8_t* AsUint8(const std::byte* bytes) { return reinterpret_cast<const uint8_t*>(bytes); }

uint16_t Load16(const std::byte* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

/// Eight scales and eight minima of 6 bits in 12 bytes: four whole ones of each, whose upper two
/// bits hold those of the other four.
void UnpackScales(const uint8_t* bytes, KQuantBlock* block) {
  for (int i = 0; i < 4; ++i) {
    block->sub_scales[i] = static_cast<int8_t>(bytes[i] & 63);
    block->sub_minima[i] = bytes[i + 4] & 63;
    block->sub_scales[i + 4] = static_cast<int8_t>((bytes[i + 8] & 15) | (bytes[i] >> 6) << 4);
    block->sub_minima[i + 4] = static_cast<uint8_t>(bytes[i + 8] >> 4 | (bytes[i + 4] >> 6) << 4);
  }
}

/// 32 bytes of nibbles hold 64 elements: the low ones first. `high` has a bit for each group of 32.
void UnpackQ4OrQ5(const uint8_t* nibbles, const uint8_t* high, KQuantBlock* block) {
  for (int i = 0; i < KQuantBlock::kElements; ++i) {
    const int group = i / 32, byte = i % 32;
    const unsigned both = nibbles[group / 2 * 32 + byte];
    unsigned quant = group % 2 == 0 ? both & 15u : both >> 4;
    if (high != nullptr) quant |= (high[byte] >> group & 1u) << 4;
    block->quants[i] = static_cast<uint8_t>(quant);
  }
}

/// Half a super-block is 64 bytes of nibbles and 32 bytes whose bit pairs belong to its four groups
/// of 32; the nibbles' low halves are groups 0 and 1, the high ones 2 and 3.
void UnpackQ6(const uint8_t* nibbles, const uint8_t* high, KQuantBlock* block) {
  for (int i = 0; i < KQuantBlock::kElements; ++i) {
    const int half = i / 128, group = i % 128 / 32, byte = i % 32;
    const unsigned both = nibbles[half * 64 + group % 2 * 32 + byte];
    const unsigned low = group < 2 ? both & 15u : both >> 4;
    const unsigned pair = high[half * 32 + byte] >> (2 * group) & 3u;
    block->quants[i] = static_cast<uint8_t>(low | pair << 4);
  }
}

}  // namespace

size_t KQuantBlock::Bytes(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_K:
      return 2 + 2 + kScaleBytes + 128;
    case WeightFormat::kQ5_K:
      return 2 + 2 + kScaleBytes + kHighBytes + 128;
    default:
      return 128 + 64 + 16 + 2;
  }
}

KQuantBlock::KQuantBlock(WeightFormat format, const std::byte* bytes) : format(format) {
  if (format == WeightFormat::kQ6_K) {
    UnpackQ6(AsUint8(bytes), AsUint8(bytes) + 128, this);
    std::memcpy(sub_scales.data(), bytes + 128 + 64, sub_scales.size());
    scale = Load16(bytes + 128 + 64 + 16);
    return;
  }
  scale = Load16(bytes);
  minimum = Load16(bytes + 2);
  UnpackScales(AsUint8(bytes) + 4, this);
  const uint8_t* rest = AsUint8(bytes) + 4 + kScaleBytes;
  if (format == WeightFormat::kQ4_K) {
    UnpackQ4OrQ5(rest, nullptr, this);
  } else {
    UnpackQ4OrQ5(rest + kHighBytes, rest, this);
  }
}

void KQuantBlock::Dequantize(float* out) const {
  const float d = Float16ToFloat(scale), dmin = Float16ToFloat(minimum);
  for (int i = 0; i < kElements; ++i) {
    if (format == WeightFormat::kQ6_K) {
      out[i] = d * static_cast<float>(sub_scales[i / 16]) *
               static_cast<float>(static_cast<int>(quants[i]) - kQ6Offset);
    } else {
      out[i] = d * static_cast<float>(sub_scales[i / 32]) * static_cast<float>(quants[i]) -
               dmin * static_cast<float>(sub_minima[i / 32]);
    }
  }
}

}  // namespace tandem::compute
