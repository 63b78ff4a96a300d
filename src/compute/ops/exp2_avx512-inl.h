#pragma once

// For files compiled for AVX-512.
#include <immintrin.h>

namespace tandem::compute {

/// 2^x within 3e-6 of it, for results that are rounded to the 4e-3 of bfloat16. 0 where it is less
/// than float32 has numbers for, infinity where it is more.
inline __m512 Exp2(__m512 x) {
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 fraction = _mm512_sub_ps(x, whole);
  // The polynomial of the least relative error on [-1/2, 1/2] that is 1 at 0.
  __m512 p = _mm512_set1_ps(9.582852e-3f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(5.5906426e-2f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.40240991e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.93124175e-1f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, whole);
}

}  // namespace tandem::compute
