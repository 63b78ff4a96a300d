#include "compute/ops/decode_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/decode_attention_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <cmath>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

constexpr int kMaxHeads = 4;  // That share one reading of the keys.
constexpr float kMasked = -1e30f;

/// Rows of one partition, found block by block.
template <typename T>
class PartitionRows {
 public:
  PartitionRows(const KvView& kv, KvPart part, int kv_head, int64_t first)
      : kv_(kv), part_(part), kv_head_(kv_head), first_(first) {
    const KvLayout& layout = kv.pool->layout();
    stride_ = int64_t{layout.kv_heads} * layout.head_dim;
    block_tokens_ = layout.block_tokens;
  }

  /// Calls visit(key, row) for keys [0, keys) of the partition.
  template <typename Visit>
  HWY_INLINE void ForEach(int64_t keys, const Visit& visit) const {
    for (int64_t key = 0; key < keys;) {
      const int64_t position = first_ + key;
      const T* row = reinterpret_cast<const T*>(kv_.Find(part_, position, kv_head_));
      const int64_t end = std::min(keys, key + block_tokens_ - position % block_tokens_);
      for (; key < end; ++key, row += stride_) visit(key, row);
    }
  }

 private:
  const KvView& kv_;
  const KvPart part_;
  const int kv_head_;
  const int64_t first_;
  int64_t stride_, block_tokens_;
};

/// Scores of kHeads heads: scores [kHeads, kKeyPartition].
template <typename T, int kHeads>
void Score(const PartitionRows<T>& rows, int64_t keys, const float* queries, int64_t head_dim,
           float scale, float* scores) {
  const D d;
  const int64_t lanes = hn::Lanes(d);
  rows.ForEach(keys, [&](int64_t key, const T* row) HWY_ATTR {
    V sums[kHeads];
    for (int h = 0; h < kHeads; ++h) sums[h] = hn::Zero(d);
    for (int64_t i = 0; i < head_dim; i += lanes) {
      const V k = LoadFloats(d, row + i);
      for (int h = 0; h < kHeads; ++h) {
        sums[h] = hn::MulAdd(k, hn::LoadU(d, queries + h * head_dim + i), sums[h]);
      }
    }
    for (int h = 0; h < kHeads; ++h) {
      scores[h * kKeyPartition + key] = hn::GetLane(hn::SumOfLanes(d, sums[h])) * scale;
    }
  });
}

/// Replaces scores by exp(score - maximum); gives the maximum and the sum.
void Exponentiate(float* scores, int64_t keys, float* maximum, float* sum) {
  const D d;
  const int64_t lanes = hn::Lanes(d);
  const int64_t padded = (keys + lanes - 1) / lanes * lanes;
  std::fill(scores + keys, scores + padded, kMasked);
  V maxima = hn::Set(d, kMasked);
  for (int64_t i = 0; i < padded; i += lanes) maxima = hn::Max(maxima, hn::LoadU(d, scores + i));
  maxima = hn::MaxOfLanes(d, maxima);
  V sums = hn::Zero(d);
  for (int64_t i = 0; i < padded; i += lanes) {
    const V weight = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), maxima));
    hn::StoreU(weight, d, scores + i);
    sums = hn::Add(sums, weight);
  }
  *maximum = hn::GetLane(maxima);
  *sum = hn::GetLane(hn::SumOfLanes(d, sums));
}

/// Sums of values weighted with the scores: kVectors vectors of elements from `first` on, for each
/// of kHeads heads `output_stride` apart.
template <typename T, int kHeads, int kVectors>
void AddValues(const PartitionRows<T>& rows, int64_t keys, const float* scores, int64_t first,
               float* outputs, int64_t output_stride) {
  const D d;
  const int64_t lanes = hn::Lanes(d);
  V sums[kHeads][kVectors];
  for (int h = 0; h < kHeads; ++h) {
    for (int v = 0; v < kVectors; ++v) sums[h][v] = hn::Zero(d);
  }
  rows.ForEach(keys, [&](int64_t key, const T* row) HWY_ATTR {
    V weights[kHeads];
    for (int h = 0; h < kHeads; ++h) weights[h] = hn::Set(d, scores[h * kKeyPartition + key]);
    for (int v = 0; v < kVectors; ++v) {
      const V value = LoadFloats(d, row + first + v * lanes);
      for (int h = 0; h < kHeads; ++h) sums[h][v] = hn::MulAdd(weights[h], value, sums[h][v]);
    }
  });
  for (int h = 0; h < kHeads; ++h) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[h][v], d, outputs + h * output_stride + first + v * lanes);
    }
  }
}

template <typename T, int kHeads>
void AttendHeads(const KvView& kv, int kv_head, int64_t first_key, int64_t keys, float scale,
                 const float* queries, float* partial) {
  const int64_t head_dim = kv.pool->layout().head_dim;
  const int64_t lanes = hn::Lanes(D());
  const int64_t partial_stride = 2 + head_dim;
  alignas(64) float scores[kHeads * kKeyPartition];
  Score<T, kHeads>(PartitionRows<T>(kv, KvPart::kKey, kv_head, first_key), keys, queries, head_dim,
                   scale, scores);
  for (int h = 0; h < kHeads; ++h) {
    float* head = partial + h * partial_stride;
    Exponentiate(scores + h * kKeyPartition, keys, &head[0], &head[1]);
  }
  const PartitionRows<T> values(kv, KvPart::kValue, kv_head, first_key);
  int64_t i = 0;
  for (; i + 4 * lanes <= head_dim; i += 4 * lanes) {
    AddValues<T, kHeads, 4>(values, keys, scores, i, partial + 2, partial_stride);
  }
  for (; i < head_dim; i += lanes) {
    AddValues<T, kHeads, 1>(values, keys, scores, i, partial + 2, partial_stride);
  }
}

template <typename T>
void AttendPartition(const AttentionShape& shape, const KvView& kv, int64_t position, int kv_head,
                     int64_t partition, const float* queries, float* partial) {
  const int64_t first_key = partition * kKeyPartition;
  const int64_t keys = std::min<int64_t>(kKeyPartition, position + 1 - first_key);
  const float scale = shape.scale();
  for (int head = 0; head < shape.group();) {
    const int count = std::min(kMaxHeads, shape.group() - head);
    const float* q = queries + int64_t{head} * shape.head_dim;
    float* out = partial + head * (2 + int64_t{shape.head_dim});
    switch (count) {
      case 1:
        AttendHeads<T, 1>(kv, kv_head, first_key, keys, scale, q, out);
        break;
      case 2:
        AttendHeads<T, 2>(kv, kv_head, first_key, keys, scale, q, out);
        break;
      case 3:
        AttendHeads<T, 3>(kv, kv_head, first_key, keys, scale, q, out);
        break;
      default:
        AttendHeads<T, 4>(kv, kv_head, first_key, keys, scale, q, out);
    }
    head += count;
  }
}

void DecodeAttentionOfType(const AttentionShape& shape, const KvView& kv, int64_t position,
                           int kv_head, int64_t partition, const float* queries, float* partial) {
  switch (kv.pool->layout().dtype) {
    case DataType::kFloat32:
      return AttendPartition<float>(shape, kv, position, kv_head, partition, queries, partial);
    case DataType::kFloat16:
      return AttendPartition<hwy::float16_t>(shape, kv, position, kv_head, partition, queries,
                                             partial);
    case DataType::kBFloat16:
      return AttendPartition<hwy::bfloat16_t>(shape, kv, position, kv_head, partition, queries,
                                              partial);
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(DecodeAttentionOfType);

void DecodeAttention(const AttentionShape& shape, const KvView& kv, int64_t position, int kv_head,
                     int64_t partition, const float* queries, float* partial) {
  HWY_DYNAMIC_DISPATCH(DecodeAttentionOfType)
  (shape, kv, position, kv_head, partition, queries, partial);
}

void CombineDecodeAttention(const AttentionShape& shape, int64_t partitions, const float* partials,
                            float* output) {
  const int64_t head_dim = shape.head_dim;
  const int64_t partial_size = DecodePartialSize(shape);
  for (int head = 0; head < shape.group(); ++head, output += head_dim) {
    const float* first = partials + head * (2 + head_dim);
    float maximum = first[0];
    for (int64_t p = 1; p < partitions; ++p) maximum = std::max(maximum, first[p * partial_size]);
    float sum = 0.0f;
    std::fill_n(output, head_dim, 0.0f);
    for (int64_t p = 0; p < partitions; ++p) {
      const float* partial = first + p * partial_size;
      const float weight = std::exp(partial[0] - maximum);
      sum += weight * partial[1];
      for (int64_t i = 0; i < head_dim; ++i) output[i] += weight * partial[2 + i];
    }
    const float inverse = 1.0f / sum;
    for (int64_t i = 0; i < head_dim; ++i) output[i] *= inverse;
  }
}

}  // namespace tandem::compute
#endif
