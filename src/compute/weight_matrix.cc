#include "compute/weight_matrix.h"

#include <cstring>

#include "compute/float_conversion.h"

namespace tandem::compute {
namespace {

uint16_t Load16(const std::byte* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

void DequantizeNibbles(const std::byte* nibbles, float scale, float minimum, float* out) {
  for (int i = 0; i < kQuantBlock / 2; ++i) {
    const auto byte = std::to_integer<unsigned>(nibbles[i]);
    out[i] = static_cast<float>(byte & 15u) * scale + minimum;
    out[i + kQuantBlock / 2] = static_cast<float>(byte >> 4) * scale + minimum;
  }
}

size_t BlockBytes(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_0:
      return 2 + 16;
    case WeightFormat::kQ4_1:
      return 2 + 2 + 16;
    default:
      return 2 + 32;
  }
}

}  // namespace

size_t WeightMatrix::row_bytes() const {
  switch (format) {
    case WeightFormat::kFloat32:
      return columns * 4;
    case WeightFormat::kFloat16:
    case WeightFormat::kBFloat16:
      return columns * 2;
    default:
      return columns / kQuantBlock * BlockBytes(format);
  }
}

void DequantizeRow(WeightFormat format, const std::byte* row, int64_t columns, float* out) {
  switch (format) {
    case WeightFormat::kFloat32:
      std::memcpy(out, row, columns * sizeof(float));
      return;
    case WeightFormat::kFloat16:
      for (int64_t i = 0; i < columns; ++i) out[i] = Float16ToFloat(Load16(row + 2 * i));
      return;
    case WeightFormat::kBFloat16:
      for (int64_t i = 0; i < columns; ++i) out[i] = BFloat16ToFloat(Load16(row + 2 * i));
      return;
    default:
      break;
  }
  for (int64_t i = 0; i < columns; i += kQuantBlock, row += BlockBytes(format)) {
    const float scale = Float16ToFloat(Load16(row));
    if (format == WeightFormat::kQ4_0) {
      DequantizeNibbles(row + 2, scale, -8.0f * scale, out + i);
    } else if (format == WeightFormat::kQ4_1) {
      DequantizeNibbles(row + 4, scale, Float16ToFloat(Load16(row + 2)), out + i);
    } else {
      for (int j = 0; j < kQuantBlock; ++j) {
        out[i + j] = static_cast<float>(static_cast<int8_t>(row[2 + j])) * scale;
      }
    }
  }
}

}  // namespace tandem::compute
