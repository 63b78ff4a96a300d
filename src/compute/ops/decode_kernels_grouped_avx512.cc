#include <immintrin.h>

#include "compute/ops/decode_kernels_k_quants-inl.h"

namespace tandem::compute {
namespace {

struct Avx512Vnni {
  static constexpr int kOutputs = 16;
  static constexpr int kMaxRows = 8;
  using Ints = __m512i;
  using Floats = __m512;

  static Ints Load(const std::byte* bytes) { return _mm512_loadu_si512(bytes); }
  static Ints And(Ints a, Ints b) { return _mm512_and_si512(a, b); }
  static Ints SetBytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  template <int kBits>
  static Ints ShiftRight(Ints v) {
    return _mm512_srli_epi16(v, kBits);
  }

  static Ints ShiftLeftBy(Ints v, int bits) {
    return bits >= 0 ? _mm512_slli_epi16(v, static_cast<unsigned>(bits))
                     : _mm512_srli_epi16(v, static_cast<unsigned>(-bits));
  }
  static Ints Or(Ints a, Ints b) { return _mm512_or_si512(a, b); }
  static Ints SetInts(int32_t value) { return _mm512_set1_epi32(value); }
  static Ints SubInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }

  template <int kMaxQuant, int kVectors>
  static Ints Dot(const Ints* weights, const int8_t* x) {
    const auto* high = reinterpret_cast<const int32_t*>(x);
    const int32_t* low = high + 8;
    // Even and odd vectors apart: half as many wait for each other.
    Ints high_dot[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    Ints low_dot[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (int i = 0; i < kVectors; ++i) {
      high_dot[i % 2] =
          _mm512_dpbusd_epi32(high_dot[i % 2], weights[i], _mm512_set1_epi32(high[i]));
      low_dot[i % 2] = _mm512_dpbusd_epi32(low_dot[i % 2], weights[i], _mm512_set1_epi32(low[i]));
    }
    return _mm512_add_epi32(_mm512_slli_epi32(_mm512_add_epi32(high_dot[0], high_dot[1]), 8),
                            _mm512_add_epi32(low_dot[0], low_dot[1]));
  }

  static Floats ToFloats(Ints v) { return _mm512_cvtepi32_ps(v); }
  static Floats Zero() { return _mm512_setzero_ps(); }
  static Floats Set(float value) { return _mm512_set1_ps(value); }
  static Floats Sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats MulAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats LoadHalves(const std::byte* halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
  }
  static Floats LoadBytes(const std::byte* bytes) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
  }
  static Floats LoadSignedBytes(const std::byte* bytes) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
  }
  static void Store(Floats v, float* out) { _mm512_storeu_ps(out, v); }
};

}  // namespace

QuantizedTileKernel FindGroupedAvx512VnniKernel(WeightFormat format) {
  return FindGroupedKernel<Avx512Vnni>(format);
}

}  // namespace tandem::compute
