// Compiled for AVX-512 with bfloat16; nothing here may be called before the processor is known to
// have it.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "compute/ops/exp2_avx512-inl.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/prefill_attention.h"

namespace tandem::compute {
namespace {

constexpr int kBlockRows = 64;  // Whose scores are computed at once.
constexpr int kLanes = 16;
constexpr int kPanel = MatrixPanels::Outputs(MatrixType::kBFloat16);
constexpr float kNothingSeen = -1e30f;
constexpr float kLog2E = 1.44269504f;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

template <DataType kType>
__m512 LoadFloats(const std::byte* row, int64_t i) {
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

/// `high` in the upper 16 elements.
__m512i Narrow(__m512 high, __m512 low) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// 16 rows of 16 pairs to 16 columns of them.
void Transpose(__m512i* rows) {
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

/// One tile of a prompt's tokens, a partition of keys after the other: scores and sums of values
/// are matrix products, for blocks of 64 rows. Row = token * group + head.
class TileAttention {
 public:
  TileAttention(const AttentionShape& shape, const KvView& kv, const PrefillAttentionTile& tile,
                MatrixKernel multiply, PrefillAttentionScratch& scratch)
      : shape_(shape),
        kv_(kv),
        tile_(tile),
        multiply_(multiply),
        s_(scratch),
        rows_(int64_t{tile.tokens} * shape.group()),
        inputs_(PaddedInputs(shape.head_dim)),
        outputs_(RoundUp(shape.head_dim, kPanel)) {
    const int64_t padded_rows = RoundUp(rows_, kBlockRows);
    s_.query_rows.Reserve(padded_rows * inputs_);
    s_.outputs.Reserve(padded_rows * outputs_);
    s_.maxima.Reserve(padded_rows);
    s_.sums.Reserve(padded_rows * kLanes);
    s_.key_panels.Reserve(kKeyPartition * inputs_);
    s_.value_panels.Reserve(kKeyPartition * outputs_);
    s_.scores.Reserve(kBlockRows * kKeyPartition);
    s_.weight_rows.Reserve(kBlockRows * kKeyPartition);
  }

  void Run() {
    LoadQueries();
    const int64_t all_keys = int64_t{tile_.first_position} + tile_.tokens;
    for (int64_t first_key = 0; first_key < all_keys; first_key += kKeyPartition) {
      LoadPartition(first_key, std::min<int64_t>(kKeyPartition, all_keys - first_key));
      for (int64_t first_row = 0; first_row < rows_; first_row += kBlockRows) {
        const int64_t last_row = std::min(first_row + kBlockRows, rows_) - 1;
        const int64_t seen = std::min<int64_t>(kKeyPartition, Position(last_row) + 1 - first_key);
        if (seen > 0) AttendBlock(first_row, last_row + 1 - first_row, first_key, seen);
      }
    }
    StoreOutputs();
  }

 private:
  int64_t Position(int64_t row) const { return tile_.first_position + row / shape_.group(); }

  void LoadQueries() {
    for (int64_t row = 0; row < rows_; ++row) {
      const float* query = tile_.queries + row / shape_.group() * tile_.query_stride +
                           row % shape_.group() * shape_.head_dim;
      uint16_t* out = s_.query_rows.data() + row * inputs_;
      for (int64_t i = 0; i < inputs_; i += kLanes) {
        const __m512 values =
            i < shape_.head_dim ? _mm512_loadu_ps(query + i) : _mm512_setzero_ps();
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
      }
      s_.maxima[row] = kNothingSeen;
      _mm512_store_ps(s_.sums.data() + row * kLanes, _mm512_setzero_ps());
    }
    // Rows of the last block that are not there are multiplied too.
    std::fill(s_.query_rows.data() + rows_ * inputs_,
              s_.query_rows.data() + RoundUp(rows_, kBlockRows) * inputs_, uint16_t{0});
  }

  void LoadPartition(int64_t first_key, int64_t keys) {
    switch (kv_.pool->layout().dtype) {
      case DataType::kFloat32:
        return LoadPanels<DataType::kFloat32>(first_key, keys);
      case DataType::kFloat16:
        return LoadPanels<DataType::kFloat16>(first_key, keys);
      case DataType::kBFloat16:
        return LoadPanels<DataType::kBFloat16>(first_key, keys);
    }
  }

  template <DataType kType>
  void LoadPanels(int64_t first_key, int64_t keys) {
    for (int64_t key = 0; key < keys; key += kLanes) {
      LoadKeys<kType>(first_key, key, std::min<int64_t>(kLanes, keys - key));
    }
    for (int64_t key = 0; key < RoundUp(keys, kMatrixInputMultiple); key += 2) {
      LoadValues<kType>(first_key, key, std::min<int64_t>(2, keys - key));
    }
  }

  /// Up to 16 keys beside one another, as outputs of the scores' product.
  template <DataType kType>
  void LoadKeys(int64_t first_key, int64_t key, int64_t count) {
    const std::byte* rows[kLanes];
    for (int64_t i = 0; i < count; ++i) {
      rows[i] = kv_.Find(KvPart::kKey, first_key + key + i, tile_.kv_head);
    }
    uint16_t* out = s_.key_panels.data() + key / kPanel * kPanel * inputs_ + key % kPanel * 2;
    for (int64_t input = 0; input < inputs_; input += 2 * kLanes) {
      __m512i pairs[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) {
        if (i >= count) {
          pairs[i] = _mm512_setzero_si512();
          continue;
        }
        const __m512 low = LoadFloats<kType>(rows[i], input);
        const __m512 high = input + kLanes < shape_.head_dim
                                ? LoadFloats<kType>(rows[i], input + kLanes)
                                : _mm512_setzero_ps();
        pairs[i] = Narrow(high, low);
      }
      Transpose(pairs);
      for (int i = 0; i < kLanes; ++i, out += 2 * kPanel) _mm512_store_si512(out, pairs[i]);
    }
  }

  /// Two keys' values, one beneath the other, as inputs of the values' product. Keys that are not
  /// there are zeros.
  template <DataType kType>
  void LoadValues(int64_t first_key, int64_t key, int64_t count) {
    const __m512i interleave =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const std::byte* rows[2] = {};
    for (int64_t i = 0; i < count; ++i) {
      rows[i] = kv_.Find(KvPart::kValue, first_key + key + i, tile_.kv_head);
    }
    for (int64_t i = 0; i < shape_.head_dim; i += kLanes) {
      const __m512 first = count > 0 ? LoadFloats<kType>(rows[0], i) : _mm512_setzero_ps();
      const __m512 second = count > 1 ? LoadFloats<kType>(rows[1], i) : _mm512_setzero_ps();
      uint16_t* out = s_.value_panels.data() + i / kPanel * kPanel * kKeyPartition + key * kPanel +
                      i % kPanel * 2;
      _mm512_store_si512(out, _mm512_permutexvar_epi16(interleave, Narrow(second, first)));
    }
  }

  void AttendBlock(int64_t first_row, int64_t rows, int64_t first_key, int64_t seen) {
    MatrixProduct scores;
    scores.x = reinterpret_cast<const std::byte*>(s_.query_rows.data() + first_row * inputs_);
    scores.x_stride = scores.inputs = scores.panel_inputs = inputs_;
    scores.rows = static_cast<int>(RoundUp(rows, kMatrixRowMultiple));
    scores.panels = reinterpret_cast<const std::byte*>(s_.key_panels.data());
    scores.outputs = RoundUp(seen, kLanes);
    scores.y = s_.scores.data();
    scores.y_stride = kKeyPartition;
    multiply_(scores);

    float* outputs = s_.outputs.data() + first_row * outputs_;
    const int64_t padded = RoundUp(seen, kMatrixInputMultiple);
    const auto visible = [&](int64_t row) {
      return std::clamp<int64_t>(Position(first_row + row) + 1 - first_key, 0, seen);
    };
    // Two passes, so that a row's work does not wait for the largest of its scores.
    for (int64_t row = 0; row < rows; ++row) {
      const float rescale = RaiseMaximum(row, first_row + row, visible(row));
      if (first_key > 0) Rescale(rescale, outputs + row * outputs_);
    }
    for (int64_t row = 0; row < rows; ++row) Weigh(row, first_row + row, visible(row), padded);

    MatrixProduct values;
    values.x = reinterpret_cast<const std::byte*>(s_.weight_rows.data());
    values.x_stride = values.panel_inputs = kKeyPartition;
    values.inputs = padded;
    values.rows = scores.rows;
    values.panels = reinterpret_cast<const std::byte*>(s_.value_panels.data());
    values.outputs = shape_.head_dim;
    values.y = outputs;
    values.y_stride = outputs_;
    values.accumulate = first_key > 0;
    multiply_(values);
  }

  float Scale() const { return shape_.scale() * kLog2E; }

  /// Takes the first `visible` scores of a block's row into the row's maximum. Returns what to
  /// scale the sums of earlier partitions by; those of the weights are.
  float RaiseMaximum(int64_t block_row, int64_t row, int64_t visible) {
    const float* scores = s_.scores.data() + block_row * kKeyPartition;
    const float old_maximum = s_.maxima[row];
    const int64_t whole = visible / kLanes * kLanes;
    __m512 even = _mm512_set1_ps(old_maximum), odd = even;
    int64_t key = 0;
    for (; key + kLanes < whole; key += 2 * kLanes) {
      even = _mm512_max_ps(even, _mm512_load_ps(scores + key));
      odd = _mm512_max_ps(odd, _mm512_load_ps(scores + key + kLanes));
    }
    if (key < whole) even = _mm512_max_ps(even, _mm512_load_ps(scores + key));
    if (const __mmask16 rest = Rest(visible); rest != 0) {
      odd = _mm512_mask_max_ps(odd, rest, odd, _mm512_load_ps(scores + whole));
    }
    const float maximum = _mm512_reduce_max_ps(_mm512_max_ps(even, odd));
    s_.maxima[row] = maximum;
    if (maximum == old_maximum) return 1.0f;
    const __m512 rescale = Exp2(_mm512_set1_ps((old_maximum - maximum) * Scale()));
    float* sums = s_.sums.data() + row * kLanes;
    _mm512_store_ps(sums, _mm512_mul_ps(_mm512_load_ps(sums), rescale));
    return _mm512_cvtss_f32(rescale);
  }

  /// Turns a block's row of scores, of which the first `visible` count, into softmax weights.
  void Weigh(int64_t block_row, int64_t row, int64_t visible, int64_t padded) {
    const float* scores = s_.scores.data() + block_row * kKeyPartition;
    uint16_t* weights = s_.weight_rows.data() + block_row * kKeyPartition;
    const __m512 scales = _mm512_set1_ps(Scale());
    const __m512 offset = _mm512_set1_ps(-s_.maxima[row] * Scale());
    const auto weigh = [&](int64_t key) {
      return Exp2(_mm512_fmadd_ps(_mm512_load_ps(scores + key), scales, offset));
    };
    // What is multiplied with the values is summed, so that their weights add up to 1.
    const auto store = [&](int64_t key, __m512 weight) {
      const auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weight));
      _mm256_store_si256(reinterpret_cast<__m256i*>(weights + key), rounded);
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded), 16));
    };
    float* sums = s_.sums.data() + row * kLanes;
    __m512 even = _mm512_load_ps(sums), odd = _mm512_setzero_ps();
    const int64_t whole = visible / kLanes * kLanes;
    int64_t key = 0;
    for (; key + kLanes < whole; key += 2 * kLanes) {
      even = _mm512_add_ps(even, store(key, weigh(key)));
      odd = _mm512_add_ps(odd, store(key + kLanes, weigh(key + kLanes)));
    }
    if (key < whole) even = _mm512_add_ps(even, store(key, weigh(key)));
    key = whole;
    if (const __mmask16 rest = Rest(visible); rest != 0) {
      odd = _mm512_add_ps(odd, store(key, _mm512_maskz_mov_ps(rest, weigh(key))));
      key += kLanes;
    }
    for (; key < padded; key += kLanes) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(weights + key), _mm256_setzero_si256());
    }
    _mm512_store_ps(sums, _mm512_add_ps(even, odd));
  }

  /// Of the last, incomplete vector of scores the lanes that count.
  static __mmask16 Rest(int64_t visible) { return (1u << (visible % kLanes)) - 1; }

  void Rescale(float factor, float* outputs) const {
    if (factor == 1.0f) return;
    const __m512 factors = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < shape_.head_dim; i += kLanes) {
      _mm512_store_ps(outputs + i, _mm512_mul_ps(_mm512_load_ps(outputs + i), factors));
    }
  }

  void StoreOutputs() const {
    for (int64_t row = 0; row < rows_; ++row) {
      const float* sums = s_.outputs.data() + row * outputs_;
      float* output = tile_.outputs + row / shape_.group() * tile_.output_stride +
                      row % shape_.group() * shape_.head_dim;
      const __m512 parts = _mm512_load_ps(s_.sums.data() + row * kLanes);
      const __m512 inverse = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(parts));
      for (int64_t i = 0; i < shape_.head_dim; i += kLanes) {
        _mm512_storeu_ps(output + i, _mm512_mul_ps(_mm512_load_ps(sums + i), inverse));
      }
    }
  }

  const AttentionShape shape_;
  const KvView kv_;
  const PrefillAttentionTile tile_;
  const MatrixKernel multiply_;
  PrefillAttentionScratch& s_;
  const int64_t rows_;
  const int64_t inputs_;   // Padded head_dim, of the scores' product.
  const int64_t outputs_;  // Padded head_dim, of the values' product.
};

void AttendAvx512(const AttentionShape& shape, const KvView& kv, const PrefillAttentionTile& tile,
                  PrefillAttentionScratch& scratch) {
  TileAttention(shape, kv, tile, FindAvx512Bf16MatrixKernel(), scratch).Run();
}

void AttendAmx(const AttentionShape& shape, const KvView& kv, const PrefillAttentionTile& tile,
               PrefillAttentionScratch& scratch) {
  static const MatrixKernel multiply = FindAmxMatrixKernel();
  TileAttention(shape, kv, tile, multiply, scratch).Run();
}

}  // namespace

PrefillAttentionKernel FindBf16PrefillAttention() { return AttendAvx512; }
PrefillAttentionKernel FindAmxPrefillAttention() { return AttendAmx; }

}  // namespace tandem::compute
