#include <cstring>

#include "compute/float_conversion.h"
#include "compute/ops/decode_kernels_k_quants-inl.h"

namespace tandem::compute {
namespace {

struct Portable {
  static constexpr int kOutputs = 16;
  static constexpr int kMaxRows = 2;
  struct Ints {
    uint32_t of[kOutputs];
  };
  struct Floats {
    float of[kOutputs];
  };

  static Ints Load(const std::byte* bytes) {
    Ints v;
    std::memcpy(v.of, bytes, sizeof(v.of));
    return v;
  }
  static Ints And(Ints a, const Ints& b) {
    for (int o = 0; o < kOutputs; ++o) a.of[o] &= b.of[o];
    return a;
  }
  static Ints SetBytes(uint32_t value) {
    Ints v;
    for (uint32_t& lane : v.of) lane = value * 0x01010101u;
    return v;
  }
  template <int kBits>
  static Ints ShiftRight(Ints v) {
    for (uint32_t& lane : v.of) lane >>= kBits;
    return v;
  }

  static Ints ShiftLeftBy(Ints v, int bits) {
    for (uint32_t& lane : v.of) lane = bits >= 0 ? lane << bits : lane >> -bits;
    return v;
  }
  static Ints Or(Ints a, const Ints& b) {
    for (int o = 0; o < kOutputs; ++o) a.of[o] |= b.of[o];
    return a;
  }
  static Ints SetInts(int32_t value) {
    Ints v;
    for (uint32_t& lane : v.of) lane = static_cast<uint32_t>(value);
    return v;
  }
  static Ints SubInts(Ints a, const Ints& b) {
    for (int o = 0; o < kOutputs; ++o) a.of[o] -= b.of[o];
    return a;
  }

  template <int kMaxQuant, int kVectors>
  static Ints Dot(const Ints* weights, const int8_t* x) {
    int32_t sums[kOutputs] = {};
    for (int i = 0; i < 4 * kVectors; ++i) {
      const int quant = x[i] * 256 + x[i + kQuantBlock];
      for (int o = 0; o < kOutputs; ++o) {
        sums[o] += static_cast<int>(weights[i / 4].of[o] >> (8 * (i % 4)) & 255u) * quant;
      }
    }
    Ints v;
    std::memcpy(v.of, sums, sizeof(v.of));
    return v;
  }

  static Floats ToFloats(const Ints& v) {
    Floats out;
    for (int o = 0; o < kOutputs; ++o) out.of[o] = static_cast<float>(static_cast<int>(v.of[o]));
    return out;
  }
  static Floats Zero() { return {}; }
  static Floats Set(float value) {
    Floats out;
    for (float& lane : out.of) lane = value;
    return out;
  }
  static Floats Sub(Floats a, const Floats& b) {
    for (int o = 0; o < kOutputs; ++o) a.of[o] -= b.of[o];
    return a;
  }
  static Floats Mul(Floats a, const Floats& b) {
    for (int o = 0; o < kOutputs; ++o) a.of[o] *= b.of[o];
    return a;
  }
  static Floats MulAdd(const Floats& a, const Floats& b, Floats c) {
    for (int o = 0; o < kOutputs; ++o) c.of[o] += a.of[o] * b.of[o];
    return c;
  }
  static Floats LoadHalves(const std::byte* halves) {
    Floats out;
    for (int o = 0; o < kOutputs; ++o) {
      uint16_t half;
      std::memcpy(&half, halves + o * 2, sizeof(half));
      out.of[o] = Float16ToFloat(half);
    }
    return out;
  }
  static Floats LoadBytes(const std::byte* bytes) {
    Floats out;
    for (int o = 0; o < kOutputs; ++o)
      out.of[o] = static_cast<float>(std::to_integer<int>(bytes[o]));
    return out;
  }
  static Floats LoadSignedBytes(const std::byte* bytes) {
    Floats out;
    for (int o = 0; o < kOutputs; ++o)
      out.of[o] = static_cast<float>(static_cast<int8_t>(bytes[o]));
    return out;
  }
  static void Store(const Floats& v, float* out) { std::memcpy(out, v.of, sizeof(v.of)); }
};

}  // namespace

QuantizedTileKernel FindGroupedPortableKernel(WeightFormat format) {
  return FindGroupedKernel<Portable>(format);
}

}  // namespace tandem::compute
