#include <immintrin.h>

#include "compute/ops/decode_kernels_k_quants-inl.h"

namespace tandem::compute {
namespace {

struct Avx2 {
  static constexpr int kOutputs = 8;
  static constexpr int kMaxRows = 4;
  using Ints = __m256i;
  using Floats = __m256;

  static Ints Load(const std::byte* bytes) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }
  static Ints And(Ints a, Ints b) { return _mm256_and_si256(a, b); }
  static Ints SetBytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
  template <int kBits>
  static Ints ShiftRight(Ints v) {
    return _mm256_srli_epi16(v, kBits);
  }

  static Ints ShiftLeftBy(Ints v, int bits) {
    return bits >= 0 ? _mm256_slli_epi16(v, bits) : _mm256_srli_epi16(v, -bits);
  }
  static Ints Or(Ints a, Ints b) { return _mm256_or_si256(a, b); }
  static Ints SetInts(int32_t value) { return _mm256_set1_epi32(value); }
  static Ints SubInts(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }

  template <int kMaxQuant, int kVectors>
  static Ints Dot(const Ints* weights, const int8_t* x) {
    const auto* high = reinterpret_cast<const int32_t*>(x);
    return _mm256_add_epi32(_mm256_slli_epi32(DotBytes<kMaxQuant, kVectors>(weights, high), 8),
                            DotBytes<kMaxQuant, kVectors>(weights, high + 8));
  }

  static Floats ToFloats(Ints v) { return _mm256_cvtepi32_ps(v); }
  static Floats Zero() { return _mm256_setzero_ps(); }
  static Floats Set(float value) { return _mm256_set1_ps(value); }
  static Floats Sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats Mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats MulAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats LoadHalves(const std::byte* halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
  }
  static Floats LoadBytes(const std::byte* bytes) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
  }
  static Floats LoadSignedBytes(const std::byte* bytes) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
  }
  static void Store(Floats v, float* out) { _mm256_storeu_ps(out, v); }

 private:
  template <int kMaxQuant, int kVectors>
  static Ints DotBytes(const Ints* weights, const int32_t* x) {
    // As many pairs of products as 16 bits hold are summed before they are widened.
    constexpr int kPairs = std::min(kVectors, kMaxQuant <= 15 ? 8 : kMaxQuant <= 31 ? 4 : 2);
    static_assert(kPairs * 2 * kMaxQuant * 127 < (1 << 15));
    const __m256i ones = _mm256_set1_epi16(1);
    Ints sum = _mm256_setzero_si256();
    for (int first = 0; first < kVectors; first += kPairs) {
      Ints pairs = _mm256_setzero_si256();
      for (int i = first; i < first + kPairs; ++i) {
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(weights[i], _mm256_set1_epi32(x[i])));
      }
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    return sum;
  }
};

}  // namespace

QuantizedTileKernel FindGroupedAvx2Kernel(WeightFormat format) {
  return FindGroupedKernel<Avx2>(format);
}

}  // namespace tandem::compute
