#include "compute/ops/prefill_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/prefill_attention_float.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

// A masked score: exp of its difference to any real one is 0.
constexpr float kMasked = -1e30f;
// Keys, or elements of a head, that are worked on together; with three vectors of rows they fill
// the registers.
#if HWY_TARGET <= HWY_AVX3
constexpr int kUnroll = 8;
#else
constexpr int kUnroll = 4;
#endif
constexpr int kMaxVectors = 3;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

template <typename T>
void LoadRows(const KvView& kv, KvPart part, const PrefillAttentionTile& tile, int64_t first_key,
              int64_t keys, int64_t head_dim, float* out) {
  const D d;
  for (int64_t key = 0; key < keys; ++key, out += head_dim) {
    const T* row = reinterpret_cast<const T*>(kv.Find(part, first_key + key, tile.kv_head));
    for (int64_t i = 0; i < head_dim; i += hn::Lanes(d))
      hn::Store(LoadFloats(d, row + i), d, out + i);
  }
  // Whole groups of keys are computed; a masked key's value is multiplied by 0.
  const int64_t padding = (kUnroll - keys % kUnroll) % kUnroll;
  std::fill_n(out, padding * head_dim, 0.0f);
}

void LoadPartition(const KvView& kv, KvPart part, const PrefillAttentionTile& tile,
                   int64_t first_key, int64_t keys, int64_t head_dim, float* out) {
  switch (kv.pool->layout().dtype) {
    case DataType::kFloat32:
      return LoadRows<float>(kv, part, tile, first_key, keys, head_dim, out);
    case DataType::kFloat16:
      return LoadRows<hwy::float16_t>(kv, part, tile, first_key, keys, head_dim, out);
    case DataType::kBFloat16:
      return LoadRows<hwy::bfloat16_t>(kv, part, tile, first_key, keys, head_dim, out);
  }
}

/// One block of kVectors vectors of rows, from row `first` of the tile's `rows` on, against the
/// partition in scratch.
template <int kVectors>
class RowBlock {
 public:
  RowBlock(PrefillAttentionScratch& scratch, int64_t rows, int64_t first, int64_t head_dim)
      : s_(scratch), rows_(rows), first_(first), head_dim_(head_dim) {
    for (int v = 0; v < kVectors; ++v) {
      positions_[v] = hn::Load(d_, s_.positions.data() + first_ + v * Lanes());
    }
  }

  void Attend(int64_t first_key, int64_t keys) {
    Score(first_key, keys);
    Exponentiate(keys);
    AddValues(keys);
  }

 private:
  static int64_t Lanes() { return hn::Lanes(D()); }

  /// scores = queries · keys where the row may see the key; and the new maxima.
  void Score(int64_t first_key, int64_t keys) {
    const D d;
    V maxima[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      maxima[v] = hn::Load(d, s_.maxima.data() + first_ + v * Lanes());
      old_maxima_[v] = maxima[v];
    }
    for (int64_t key = 0; key < keys; key += kUnroll) {
      V sums[kUnroll][kVectors];
      for (int j = 0; j < kUnroll; ++j) {
        for (int v = 0; v < kVectors; ++v) sums[j][v] = hn::Zero(d);
      }
      const float* key_rows = s_.keys.data() + key * head_dim_;
      const float* queries = s_.queries.data() + first_;
      for (int64_t i = 0; i < head_dim_; ++i, queries += rows_) {
        V q[kVectors];
        for (int v = 0; v < kVectors; ++v) q[v] = hn::Load(d, queries + v * Lanes());
        for (int j = 0; j < kUnroll; ++j) {
          const V k = hn::Set(d, key_rows[j * head_dim_ + i]);
          for (int v = 0; v < kVectors; ++v) sums[j][v] = hn::MulAdd(q[v], k, sums[j][v]);
        }
      }
      float* scores = s_.scores.data() + key * rows_ + first_;
      for (int j = 0; j < kUnroll; ++j) {
        const V position = hn::Set(d, static_cast<float>(first_key + key + j));
        for (int v = 0; v < kVectors; ++v) {
          const V score =
              hn::IfThenElse(hn::Ge(positions_[v], position), sums[j][v], hn::Set(d, kMasked));
          maxima[v] = hn::Max(maxima[v], score);
          hn::Store(score, d, scores + j * rows_ + v * Lanes());
        }
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      hn::Store(maxima[v], d, s_.maxima.data() + first_ + v * Lanes());
    }
  }

  /// scores = exp(scores - maxima), their sums, and what to scale earlier partitions by.
  void Exponentiate(int64_t keys) {
    const D d;
    for (int v = 0; v < kVectors; ++v) {
      const V maximum = hn::Load(d, s_.maxima.data() + first_ + v * Lanes());
      rescale_[v] = hn::Exp(d, hn::Sub(old_maxima_[v], maximum));
      float* sum_memory = s_.sums.data() + first_ + v * Lanes();
      V sum = hn::Mul(hn::Load(d, sum_memory), rescale_[v]);
      float* scores = s_.scores.data() + first_ + v * Lanes();
      for (int64_t key = 0; key < RoundUp(keys); ++key, scores += rows_) {
        const V weight = hn::Exp(d, hn::Sub(hn::Load(d, scores), maximum));
        hn::Store(weight, d, scores);
        sum = hn::Add(sum, weight);
      }
      hn::Store(sum, d, sum_memory);
    }
  }

  /// outputs = outputs * rescale + scores · values.
  void AddValues(int64_t keys) {
    const D d;
    for (int64_t i = 0; i < head_dim_; i += kUnroll) {
      V sums[kUnroll][kVectors];
      float* outputs = s_.outputs.data() + i * rows_ + first_;
      for (int j = 0; j < kUnroll; ++j) {
        for (int v = 0; v < kVectors; ++v) {
          sums[j][v] = hn::Mul(hn::Load(d, outputs + j * rows_ + v * Lanes()), rescale_[v]);
        }
      }
      const float* weights = s_.scores.data() + first_;
      const float* values = s_.values.data() + i;
      for (int64_t key = 0; key < RoundUp(keys); ++key, weights += rows_, values += head_dim_) {
        V w[kVectors];
        for (int v = 0; v < kVectors; ++v) w[v] = hn::Load(d, weights + v * Lanes());
        for (int j = 0; j < kUnroll; ++j) {
          const V value = hn::Set(d, values[j]);
          for (int v = 0; v < kVectors; ++v) sums[j][v] = hn::MulAdd(w[v], value, sums[j][v]);
        }
      }
      for (int j = 0; j < kUnroll; ++j) {
        for (int v = 0; v < kVectors; ++v) {
          hn::Store(sums[j][v], d, outputs + j * rows_ + v * Lanes());
        }
      }
    }
  }

  static int64_t RoundUp(int64_t keys) { return (keys + kUnroll - 1) / kUnroll * kUnroll; }

  const D d_;
  PrefillAttentionScratch& s_;
  const int64_t rows_, first_, head_dim_;
  V positions_[kVectors], old_maxima_[kVectors], rescale_[kVectors];
};

/// The tile's rows by vectors: row = token * group + head, padded with rows of the last position.
void LoadQueries(const AttentionShape& shape, const PrefillAttentionTile& tile, int64_t rows,
                 PrefillAttentionScratch& s) {
  const int group = shape.group();
  const float scale = shape.scale();
  std::fill_n(s.queries.data(), rows * shape.head_dim, 0.0f);
  std::fill_n(s.outputs.data(), rows * shape.head_dim, 0.0f);
  std::fill_n(s.maxima.data(), rows, kMasked);
  std::fill_n(s.sums.data(), rows, 0.0f);
  std::fill_n(s.positions.data(), rows, static_cast<float>(tile.first_position + tile.tokens - 1));
  for (int token = 0; token < tile.tokens; ++token) {
    for (int head = 0; head < group; ++head) {
      const int64_t row = int64_t{token} * group + head;
      const float* query = reinterpret_cast<const float*>(tile.queries) +
                           token * tile.query_stride + head * shape.head_dim;
      s.positions[row] = static_cast<float>(tile.first_position + token);
      for (int i = 0; i < shape.head_dim; ++i) s.queries[i * rows + row] = query[i] * scale;
    }
  }
}

void StoreOutputs(const AttentionShape& shape, const PrefillAttentionTile& tile, int64_t rows,
                  const PrefillAttentionScratch& s) {
  const int group = shape.group();
  for (int token = 0; token < tile.tokens; ++token) {
    for (int head = 0; head < group; ++head) {
      const int64_t row = int64_t{token} * group + head;
      float* output = reinterpret_cast<float*>(tile.outputs) + token * tile.output_stride +
                      head * shape.head_dim;
      const float inverse = 1.0f / s.sums[row];
      for (int i = 0; i < shape.head_dim; ++i) output[i] = s.outputs[i * rows + row] * inverse;
    }
  }
}

void AttendTile(const AttentionShape& shape, const KvView& kv, const PrefillAttentionTile& tile,
                PrefillAttentionScratch& s) {
  const int64_t lanes = hn::Lanes(D());
  const int64_t used_rows = int64_t{tile.tokens} * shape.group();
  const int64_t rows = (used_rows + lanes - 1) / lanes * lanes;
  const int64_t head_dim = shape.head_dim;
  for (auto* buffer : {&s.queries, &s.outputs}) buffer->Reserve(rows * head_dim);
  for (auto* buffer : {&s.keys, &s.values}) buffer->Reserve(kKeyPartition * head_dim);
  for (auto* buffer : {&s.maxima, &s.sums, &s.positions}) buffer->Reserve(rows);
  s.scores.Reserve(kKeyPartition * rows);
  LoadQueries(shape, tile, rows, s);

  const int64_t all_keys = int64_t{tile.first_position} + tile.tokens;
  for (int64_t first_key = 0; first_key < all_keys; first_key += kKeyPartition) {
    const int64_t keys = std::min<int64_t>(kKeyPartition, all_keys - first_key);
    LoadPartition(kv, KvPart::kKey, tile, first_key, keys, head_dim, s.keys.data());
    LoadPartition(kv, KvPart::kValue, tile, first_key, keys, head_dim, s.values.data());
    for (int64_t first = 0; first < rows;) {
      const int64_t vectors = std::min<int64_t>(kMaxVectors, (rows - first) / lanes);
      const int64_t last_row = std::min(first + vectors * lanes, used_rows) - 1;
      const int64_t last_position = tile.first_position + last_row / shape.group();
      const int64_t seen = std::min(keys, last_position + 1 - first_key);
      if (seen > 0) {
        if (vectors == 3) {
          RowBlock<3>(s, rows, first, head_dim).Attend(first_key, seen);
        } else if (vectors == 2) {
          RowBlock<2>(s, rows, first, head_dim).Attend(first_key, seen);
        } else {
          RowBlock<1>(s, rows, first, head_dim).Attend(first_key, seen);
        }
      }
      first += vectors * lanes;
    }
  }
  StoreOutputs(shape, tile, rows, s);
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(AttendTile);

PrefillAttentionKernel FindFloatPrefillAttention() {
  return [](const AttentionShape& shape, const KvView& kv, const PrefillAttentionTile& tile,
            PrefillAttentionScratch& scratch) {
    HWY_DYNAMIC_DISPATCH(AttendTile)(shape, kv, tile, scratch);
  };
}

}  // namespace tandem::compute
#endif
