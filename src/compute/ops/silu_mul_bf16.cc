// Compiled for AVX-512 with bfloat16; called only where the processor has it.
#include <immintrin.h>

#include "compute/ops/exp2_avx512-inl.h"
#include "compute/ops/silu_mul.h"

namespace tandem::compute {

void SiluMulBf16(const float* gate, const float* up, int64_t count, std::byte* out) {
  constexpr int64_t kLanes = 16;
  const __m512 minus_log2e = _mm512_set1_ps(-1.44269504f), one = _mm512_set1_ps(1.0f);
  for (int64_t i = 0; i < count; i += kLanes) {
    const __m512 g = _mm512_loadu_ps(gate + i);
    const __m512 denominator = _mm512_add_ps(one, Exp2(_mm512_mul_ps(g, minus_log2e)));
    // Its error of 2^-14 disappears in the rounding; infinity becomes 0.
    const __m512 sigmoid = _mm512_rcp14_ps(denominator);
    const __m512 product = _mm512_mul_ps(_mm512_mul_ps(g, sigmoid), _mm512_loadu_ps(up + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(product)));
  }
}

}  // namespace tandem::compute
