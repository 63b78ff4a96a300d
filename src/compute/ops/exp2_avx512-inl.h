#pragma once

// For files compiled for AVX-512.
#include <immintrin.h>

namespace tandem::compute {

/// 2^x within 9e-5 of it, for results that are rounded to the 4e-3 of bfloat16, and exact where x
/// is whole. 0 where it is less than float32 has numbers for, infinity where it is more.
inline __m512 Exp2(__m512 x) {
  const __m512 fraction = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  // The polynomial of the least relative error on [0, 1] that is 1 at 0.
  __m512 p = _mm512_set1_ps(7.7067042e-2f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.27644991e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.95116786e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, x);  // Takes the whole part of x.
}

}  // namespace tandem::compute
