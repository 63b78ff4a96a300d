// Compiled for AVX-512 with bfloat16; nothing here may be called before the processor is known to
// have it.
#include <immintrin.h>

#include <algorithm>

#include "compute/ops/attention_operands_avx512-inl.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/prefill_attention.h"
#include "compute/ops/softmax_block_avx512-inl.h"

namespace tandem::compute {
namespace {

constexpr int kBlockRows = SoftmaxBlock::kRows;  // Whose scores are computed at once.
constexpr int kLanes = SoftmaxBlock::kLanes;
static_assert(kBlockRows == MatrixPanels::Outputs(MatrixType::kBFloat16));
// Not a power of two, so that rows of values do not share few lines of the first-level cache.
constexpr int64_t kValueStride = kKeyPartition + kMatrixInputMultiple;
constexpr float kNothingSeen = -1e30f;
constexpr float kLog2E = 1.44269504f;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// One tile of a prompt's tokens, a partition of keys after the other, for blocks of 64 rows: row =
/// token * group + head. Scores and sums of values are matrix products whose outputs are rows, so
/// that rows stand side by side in vectors: keys times queries, and values times weights.
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
        inputs_(PaddedInputs(shape.head_dim)) {
    const int64_t padded_rows = RoundUp(rows_, kBlockRows);
    s_.query_panels.Reserve(padded_rows * inputs_);
    s_.outputs.Reserve(padded_rows * shape.head_dim);
    s_.maxima.Reserve(padded_rows);
    s_.sums.Reserve(padded_rows);
    s_.last_keys.Reserve(padded_rows);
    s_.key_rows.Reserve(kKeyPartition * inputs_);
    s_.transposed_values.Reserve(shape.head_dim * kValueStride);
    s_.scores.Reserve(kBlockRows * kKeyPartition);
    s_.weight_panels.Reserve(kBlockRows * kKeyPartition);
  }

  void Run() {
    for (int64_t row = 0; row < RoundUp(rows_, kBlockRows); row += kLanes) LoadQueries(row);
    const int64_t all_keys = int64_t{tile_.first_position} + tile_.tokens;
    for (int64_t first_key = 0; first_key < all_keys; first_key += kKeyPartition) {
      LoadPartition(first_key, std::min<int64_t>(kKeyPartition, all_keys - first_key));
      for (int64_t row = 0; row < rows_; row += kBlockRows) {
        const int64_t last_key = s_.last_keys[row + kBlockRows - 1];
        const int64_t seen = std::min<int64_t>(kKeyPartition, last_key + 1 - first_key);
        if (seen > 0) AttendBlock(row, first_key, seen);
      }
    }
    for (int64_t row = 0; row < rows_; row += kLanes) StoreOutputs(row);
  }

 private:
  /// 16 rows beside one another. Of those that are not there, queries are zeros.
  void LoadQueries(int64_t first_row) {
    const uint16_t* queries[kLanes] = {};
    for (int i = 0; i < kLanes; ++i) {
      const int64_t row = std::min(first_row + i, rows_ - 1);
      const int64_t token = row / shape_.group(), head = row % shape_.group();
      s_.last_keys[first_row + i] = static_cast<int32_t>(tile_.first_position + token);
      s_.maxima[first_row + i] = kNothingSeen;
      s_.sums[first_row + i] = 0;
      if (first_row + i > row) continue;
      queries[i] = reinterpret_cast<const uint16_t*>(tile_.queries) + token * tile_.query_stride +
                   head * shape_.head_dim;
    }
    uint16_t* out = s_.query_panels.data() + first_row / kBlockRows * kBlockRows * inputs_ +
                    first_row % kBlockRows * 2;
    for (int64_t input = 0; input < inputs_; input += 2 * kLanes) {
      const __mmask32 there = shape_.head_dim - input < 2 * kLanes ? 0xffff : 0xffffffff;
      __m512i pairs[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        pairs[i] = queries[i] == nullptr ? _mm512_setzero_si512()
                                         : _mm512_maskz_loadu_epi16(there, queries[i] + input);
      }
      Transpose(pairs);
      for (int i = 0; i < kLanes; ++i, out += 2 * kBlockRows) _mm512_store_si512(out, pairs[i]);
    }
  }

  void LoadPartition(int64_t first_key, int64_t keys) {
    switch (kv_.pool->layout().dtype) {
      case DataType::kFloat32:
        return LoadOperands<DataType::kFloat32>(first_key, keys);
      case DataType::kFloat16:
        return LoadOperands<DataType::kFloat16>(first_key, keys);
      case DataType::kBFloat16:
        return LoadOperands<DataType::kBFloat16>(first_key, keys);
    }
  }

  template <DataType kType>
  void LoadOperands(int64_t first_key, int64_t keys) {
    LoadKeyRows<kType>(kv_, tile_.kv_head, first_key, keys, shape_.head_dim, inputs_,
                       s_.key_rows.data());
    LoadValueColumns<kType>(kv_, tile_.kv_head, first_key, keys, shape_.head_dim, kValueStride,
                            s_.transposed_values.data());
  }

  void AttendBlock(int64_t row, int64_t first_key, int64_t seen) {
    MatrixProduct scores;
    scores.x = reinterpret_cast<const std::byte*>(s_.key_rows.data());
    scores.x_stride = scores.inputs = scores.panel_inputs = inputs_;
    scores.rows = static_cast<int>(RoundUp(seen, kMatrixRowMultiple));
    scores.panels = reinterpret_cast<const std::byte*>(s_.query_panels.data() + row * inputs_);
    scores.outputs = kBlockRows;
    scores.y = s_.scores.data();
    scores.y_stride = kBlockRows;
    multiply_(scores);

    const int64_t padded = RoundUp(seen, kMatrixInputMultiple);
    const SoftmaxBlock softmax{s_.maxima.data() + row, s_.sums.data() + row,
                               s_.last_keys.data() + row, shape_.scale() * kLog2E};
    alignas(64) float rescale[kBlockRows];
    if (s_.last_keys[row] + 1 - first_key >= padded) {
      softmax.Weigh<false>(s_.scores.data(), first_key, padded, rescale, s_.weight_panels.data());
    } else {
      softmax.Weigh<true>(s_.scores.data(), first_key, padded, rescale, s_.weight_panels.data());
    }
    float* outputs = s_.outputs.data() + row * shape_.head_dim;
    if (first_key > 0) Rescale(rescale, outputs);

    MatrixProduct values;
    values.x = reinterpret_cast<const std::byte*>(s_.transposed_values.data());
    values.x_stride = kValueStride;
    values.rows = shape_.head_dim;
    values.panels = reinterpret_cast<const std::byte*>(s_.weight_panels.data());
    values.inputs = values.panel_inputs = padded;
    values.outputs = kBlockRows;
    values.y = outputs;
    values.y_stride = kBlockRows;
    values.accumulate = first_key > 0;
    multiply_(values);
  }

  void Rescale(const float* factors, float* outputs) const {
    for (int64_t row = 0; row < kBlockRows; row += kLanes) {
      const __m512 factor = _mm512_load_ps(factors + row);
      if (_mm512_cmpneq_ps_mask(factor, _mm512_set1_ps(1.0f)) == 0) continue;
      for (int64_t i = 0; i < shape_.head_dim; ++i) {
        float* sums = outputs + i * kBlockRows + row;
        _mm512_store_ps(sums, _mm512_mul_ps(_mm512_load_ps(sums), factor));
      }
    }
  }

  /// Up to 16 rows.
  void StoreOutputs(int64_t first_row) const {
    const float* sums = s_.outputs.data() + first_row / kBlockRows * kBlockRows * shape_.head_dim +
                        first_row % kBlockRows;
    const __m512 inverse =
        _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_load_ps(s_.sums.data() + first_row));
    const int64_t rows = std::min<int64_t>(kLanes, rows_ - first_row);
    uint16_t* outputs[kLanes];
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t token = (first_row + i) / shape_.group();
      const int64_t head = (first_row + i) % shape_.group();
      outputs[i] = reinterpret_cast<uint16_t*>(tile_.outputs) + token * tile_.output_stride +
                   head * shape_.head_dim;
    }
    for (int64_t i = 0; i < shape_.head_dim; i += kLanes) {
      __m512i columns[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) {
        columns[j] = _mm512_castps_si512(
            _mm512_mul_ps(_mm512_load_ps(sums + (i + j) * kBlockRows), inverse));
      }
      Transpose(columns);
      for (int64_t row = 0; row < rows; ++row) {
        const __m256i rounded =
            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_castsi512_ps(columns[row])));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(outputs[row] + i), rounded);
      }
    }
  }

  const AttentionShape shape_;
  const KvView kv_;
  const PrefillAttentionTile tile_;
  const MatrixKernel multiply_;
  PrefillAttentionScratch& s_;
  const int64_t rows_;
  const int64_t inputs_;  // Padded head_dim.
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
