#pragma once

// For files compiled for AVX-512 with bfloat16.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "compute/ops/attention_operands_avx512-inl.h"
#include "compute/ops/exp2_avx512-inl.h"

namespace tandem::compute {

/// Softmax of 64 rows of attention that stand side by side, a partition of keys after the other. A
/// row's numbers depend on its own scores alone.
struct SoftmaxBlock {
  static constexpr int kRows = 64;
  static constexpr int kLanes = 16, kVectors = kRows / kLanes;

  float* maxima;             ///< [kRows], of the scores so far.
  float* sums;               ///< [kRows], of the weights so far.
  const int32_t* last_keys;  ///< [kRows], the position of the last key that a row sees.
  float scale;               ///< A score's weight is 2^(scale * (score - maximum)).

  /// Turns the scores of keys from `first_key` on, [keys, kRows], into weights, panels of a matrix
  /// product with `keys` inputs, an even number. Writes what to scale sums of earlier partitions
  /// by to `rescale`, [kRows]; the rows' own are. Unless kMasked all rows see all keys.
  template <bool kMasked>
  void Weigh(const float* scores, int64_t first_key, int64_t keys, float* rescale,
             uint16_t* weights) const {
    const __m512 scales = _mm512_set1_ps(scale);
    __m512 maximum[kVectors], offset[kVectors], sum[kVectors];
    __m512i last[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      maximum[v] = _mm512_load_ps(maxima + v * kLanes);
      last[v] = _mm512_sub_epi32(_mm512_load_si512(last_keys + v * kLanes),
                                 _mm512_set1_epi32(static_cast<int32_t>(first_key)));
    }
    const auto sees = [&](int v, int64_t key) {
      return _mm512_cmpge_epi32_mask(last[v], _mm512_set1_epi32(static_cast<int32_t>(key)));
    };
    for (int64_t key = 0; key < keys; ++key) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m512 score = _mm512_load_ps(scores + key * kRows + v * kLanes);
        maximum[v] = kMasked ? _mm512_mask_max_ps(maximum[v], sees(v, key), maximum[v], score)
                             : _mm512_max_ps(maximum[v], score);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const __m512 raised = _mm512_sub_ps(_mm512_load_ps(maxima + v * kLanes), maximum[v]);
      const __m512 factor = Exp2(_mm512_mul_ps(raised, scales));
      _mm512_store_ps(rescale + v * kLanes, factor);
      _mm512_store_ps(maxima + v * kLanes, maximum[v]);
      sum[v] = _mm512_mul_ps(_mm512_load_ps(sums + v * kLanes), factor);
      offset[v] = _mm512_mul_ps(_mm512_sub_ps(_mm512_setzero_ps(), maximum[v]), scales);
    }
    const auto weigh = [&](int v, int64_t key) {
      const __m512 score = _mm512_load_ps(scores + key * kRows + v * kLanes);
      const __m512 weight = Exp2(_mm512_fmadd_ps(score, scales, offset[v]));
      return kMasked ? _mm512_maskz_mov_ps(sees(v, key), weight) : weight;
    };
    for (int64_t key = 0; key < keys; key += 2) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m512 even = weigh(v, key), odd = weigh(v, key + 1);
        sum[v] = _mm512_add_ps(sum[v], _mm512_add_ps(even, odd));
        _mm512_store_si512(weights + key * kRows + v * 2 * kLanes, NarrowPairs(even, odd));
      }
    }
    for (int v = 0; v < kVectors; ++v) _mm512_store_ps(sums + v * kLanes, sum[v]);
  }
};

}  // namespace tandem::compute
