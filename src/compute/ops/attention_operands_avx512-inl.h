#pragma once

// For files compiled for AVX-512 with bfloat16.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "compute/data_type.h"
#include "compute/ops/attention_shape.h"

namespace tandem::compute {

/// 16 elements from the i-th of a row of the cache.
template <DataType kType>
inline __m512 LoadCached(const std::byte* row, int64_t i) {
  if constexpr (kType == DataType::kFloat32) {
    return _mm512_loadu_ps(row + 4 * i);
  } else {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 2 * i));
    if constexpr (kType == DataType::kFloat16) {
      return _mm512_cvtph_ps(halves);
    } else {
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
    }
  }
}

/// Rounded to bfloat16, `high` in the upper 16 elements.
inline __m512i Narrow(__m512 high, __m512 low) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// Rounded to bfloat16, in pairs of an element of `first` and the same one of `second`.
inline __m512i NarrowPairs(__m512 first, __m512 second) {
  const __m512i interleave =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(interleave, Narrow(second, first));
}

/// 16 rows of 16 elements of 4 bytes to 16 columns of them.
inline void Transpose(__m512i* rows) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    rows[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    rows[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

/// One head's `count` keys as rows of bfloat16, [count, stride], stride = padded head_dim; zeros
/// after head_dim.
template <DataType kType>
void LoadKeyRows(const KvView& kv, int kv_head, int64_t first_key, int64_t count, int64_t head_dim,
                 int64_t stride, uint16_t* out) {
  for (int64_t key = 0; key < count; ++key, out += stride) {
    const std::byte* row = kv.Find(KvPart::kKey, first_key + key, kv_head);
    for (int64_t i = 0; i < head_dim; i += 32) {
      const __m512 high = i + 16 < head_dim ? LoadCached<kType>(row, i + 16) : _mm512_setzero_ps();
      _mm512_store_si512(out + i, Narrow(high, LoadCached<kType>(row, i)));
    }
  }
}

/// One head's `count` values as columns of bfloat16, [head_dim, stride]; zeros up to a multiple of
/// 32 columns.
template <DataType kType>
void LoadValueColumns(const KvView& kv, int kv_head, int64_t first_key, int64_t count,
                      int64_t head_dim, int64_t stride, uint16_t* out) {
  for (int64_t key = 0; key < count; key += 32, out += 32) {
    const std::byte* rows[32] = {};
    for (int64_t i = 0; i < 32 && key + i < count; ++i) {
      rows[i] = kv.Find(KvPart::kValue, first_key + key + i, kv_head);
    }
    const auto load = [](const std::byte* row, int64_t i) {
      return row == nullptr ? _mm512_setzero_ps() : LoadCached<kType>(row, i);
    };
    for (int64_t i = 0; i < head_dim; i += 16) {
      __m512i pairs[16];
      for (int p = 0; p < 16; ++p) {
        pairs[p] = NarrowPairs(load(rows[2 * p], i), load(rows[2 * p + 1], i));
      }
      Transpose(pairs);
      for (int p = 0; p < 16; ++p) _mm512_store_si512(out + (i + p) * stride, pairs[p]);
    }
  }
}

}  // namespace tandem::compute
