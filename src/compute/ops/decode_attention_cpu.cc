#include "compute/ops/decode_attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/decode_attention_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>
#include <span>

#include "compute/simd-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

// Heads that share one reading of the keys: their sums must stay in registers. (GCC keeps an array
// there only if the loops over it are unrolled where they stand, which -O3 does too late.)
constexpr int kMaxHeads = HWY_TARGET <= HWY_AVX3 ? 4 : HWY_TARGET <= HWY_AVX2 ? 3 : 2;
constexpr int kKeysAtOnce = 4;
constexpr float kMasked = -1e30f;
// Room behind a head's scores for those that are computed beyond the last key.
constexpr int kScoreStride = kKeyPartition + kKeysAtOnce;
// Heads whose scores are kept at once.
constexpr int kScoredHeads = 32;
constexpr int64_t kLine = 64;
// Memory answers that much later than it is asked: 12 KiB at 40 GB/s are 0.3 us.
constexpr int64_t kBytesAhead = 12 << 10;
constexpr int64_t kPage = 4 << 10;
// Partitions whose weights are kept at once; a multiple of all vectors' lanes.
constexpr int64_t kCombinedAtOnce = 64;

/// Consecutive tokens' keys, or values, of one KV head within a block.
template <typename T>
struct BlockRows {
  const T* first;
  const T* next;  // Those of a block to be read soon, which are fetched meanwhile.
  int64_t count;
  int64_t stride;

  const T* Row(int64_t i) const { return first + i * stride; }
  const T* NextRow(int64_t i) const { return next + i * stride; }
};

/// Fetches `elements` from `row` on; no processor foresees where the next block is.
template <typename T>
HWY_INLINE void Fetch(const T* row, int64_t elements) {
  for (int64_t i = 0; i < elements; i += kLine / sizeof(T)) hwy::Prefetch(row + i);
}

/// The sums of the lanes of each of four vectors; of each in the same order.
HWY_INLINE hn::Vec<hn::Full128<float>> SumOfEach(V a, V b, V c, V d) {
  const D df;
  const hn::Repartition<uint64_t, D> d64;
  const V ab = hn::Add(hn::InterleaveLower(df, a, b), hn::InterleaveUpper(df, a, b));
  const V cd = hn::Add(hn::InterleaveLower(df, c, d), hn::InterleaveUpper(df, c, d));
  const auto ab64 = hn::BitCast(d64, ab), cd64 = hn::BitCast(d64, cd);
  const V sums = hn::Add(hn::BitCast(df, hn::InterleaveLower(d64, ab64, cd64)),
                         hn::BitCast(df, hn::InterleaveUpper(d64, ab64, cd64)));
#if HWY_TARGET <= HWY_AVX2
  const hn::Half<D> dh;
  const auto half = hn::Add(hn::LowerHalf(dh, sums), hn::UpperHalf(dh, sums));
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<decltype(dh)> dq;
  return hn::Add(hn::LowerHalf(dq, half), hn::UpperHalf(dq, half));
#else
  return half;
#endif
#else
  return sums;
#endif
}

/// Adds the products of some elements of four keys and of as many of each head's query.
template <typename T, int kHeads>
HWY_INLINE void AddProducts(const T* const (&keys)[kKeysAtOnce], const float* queries,
                            int64_t head_dim, V (&sums)[kHeads][kKeysAtOnce]) {
  const D d;
#pragma GCC unroll 16
  for (int k = 0; k < kKeysAtOnce; ++k) {
    const V elements = LoadFloats(d, keys[k]);
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) {
      const V query = hn::LoadU(d, queries + h * head_dim);
      sums[h][k] = hn::MulAdd(elements, query, sums[h][k]);
    }
  }
}

/// Scores of kHeads heads, kScoreStride apart, for the keys of one block.
template <typename T, int kHeads>
void Score(const BlockRows<T>& rows, const float* queries, int64_t head_dim, float scale,
           float* scores) {
  constexpr int64_t kLineElements = kLine / sizeof(T);
  const D d;
  const hn::Full128<float> d4;
  constexpr int64_t lanes = hn::MaxLanes(D());
  for (int64_t done = 0; done < rows.count; done += kKeysAtOnce) {
    // Behind the block's end the last key is computed again, and overwritten or left unused.
    const T* keys[kKeysAtOnce];
#pragma GCC unroll 16
    for (int64_t k = 0; k < kKeysAtOnce; ++k)
      keys[k] = rows.Row(std::min(done + k, rows.count - 1));
    V sums[kHeads][kKeysAtOnce];
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
      for (int k = 0; k < kKeysAtOnce; ++k) sums[h][k] = hn::Zero(d);
    }
    const int64_t ahead = rows.next - rows.first;
    for (int64_t i = 0; i < head_dim; i += kLineElements) {
#pragma GCC unroll 16
      for (int k = 0; k < kKeysAtOnce; ++k) hwy::Prefetch(keys[k] + ahead);
      const int64_t end = std::min(kLineElements, head_dim - i);
      for (int64_t j = 0; j < end; j += lanes) {
        AddProducts<T, kHeads>(keys, queries + i + j, head_dim, sums);
#pragma GCC unroll 16
        for (int k = 0; k < kKeysAtOnce; ++k) keys[k] += lanes;
      }
    }
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) {
      const auto four = SumOfEach(sums[h][0], sums[h][1], sums[h][2], sums[h][3]);
      hn::StoreU(hn::Mul(four, hn::Set(d4, scale)), d4, scores + h * kScoreStride + done);
    }
  }
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

/// Adds a block's values, weighted with the scores: kVectors vectors of elements from `first` on,
/// for each of kHeads heads `output_stride` apart.
template <typename T, int kHeads, int kVectors>
void AddValueVectors(const BlockRows<T>& rows, const float* scores, int64_t first, float* outputs,
                     int64_t output_stride) {
  const D d;
  const int64_t lanes = hn::Lanes(d);
  V sums[kHeads][kVectors];
#pragma GCC unroll 16
  for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      sums[h][v] = hn::LoadU(d, outputs + h * output_stride + first + v * lanes);
    }
  }
  for (int64_t key = 0; key < rows.count; ++key) {
    const T* row = rows.Row(key) + first;
    Fetch(rows.NextRow(key) + first, kVectors * lanes);
    V weights[kHeads];
#pragma GCC unroll 16
    for (int h = 0; h < kHeads; ++h) weights[h] = hn::Set(d, scores[h * kScoreStride + key]);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const V value = LoadFloats(d, row + v * lanes);
#pragma GCC unroll 16
      for (int h = 0; h < kHeads; ++h) sums[h][v] = hn::MulAdd(weights[h], value, sums[h][v]);
    }
  }
#pragma GCC unroll 16
  for (int h = 0; h < kHeads; ++h) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[h][v], d, outputs + h * output_stride + first + v * lanes);
    }
  }
}

template <typename T, int kHeads>
void AddValues(const BlockRows<T>& rows, int64_t head_dim, const float* scores, float* outputs,
               int64_t output_stride) {
  const int64_t lanes = hn::Lanes(D());
  int64_t i = 0;
  for (; i + 4 * lanes <= head_dim; i += 4 * lanes) {
    AddValueVectors<T, kHeads, 4>(rows, scores, i, outputs, output_stride);
  }
  for (; i < head_dim; i += lanes) {
    AddValueVectors<T, kHeads, 1>(rows, scores, i, outputs, output_stride);
  }
}

/// Calls visit.operator()<kHeads>() with `heads`, at most kMaxHeads.
template <typename Visit>
HWY_INLINE void WithHeads(int heads, const Visit& visit) {
  switch (heads) {
    case 1:
      return visit.template operator()<1>();
    case 2:
      return visit.template operator()<2>();
    case 3:
      return visit.template operator()<std::min(3, kMaxHeads)>();
    default:
      return visit.template operator()<kMaxHeads>();
  }
}

/// The attention of some heads of a token to the keys of one partition. Goes through the blocks
/// once for all heads: what a block holds of them stands side by side.
template <typename T>
class PartitionAttention {
 public:
  PartitionAttention(const AttentionShape& shape, const KvView& kv, int64_t first_key, int64_t keys,
                     std::span<const int32_t> next_blocks)
      : shape_(shape),
        keys_(keys),
        row_size_(int64_t{shape.kv_heads} * shape.head_dim),
        block_tokens_(kv.pool->layout().block_tokens),
        first_in_block_(first_key % block_tokens_),
        blocks_((first_in_block_ + keys + block_tokens_ - 1) / block_tokens_),
        blocks_ahead_(std::max<int64_t>(1, kBytesAhead / kv.pool->layout().block_bytes())),
        block_table_(kv.block_table.data() + first_key / block_tokens_),
        next_blocks_(next_blocks),
        planes_{reinterpret_cast<const T*>(kv.pool->Block(kv.layer, KvPart::kKey, 0)),
                reinterpret_cast<const T*>(kv.pool->Block(kv.layer, KvPart::kValue, 0))} {}

  /// Heads [0, heads) of `queries` and `partials` share the KV heads from `kv_head` on.
  void Run(int kv_head, int heads, const float* queries, float* partials) const {
    const int64_t head_dim = shape_.head_dim, partial_stride = 2 + head_dim;
    const float scale = shape_.scale();
    alignas(64) float scores[kScoredHeads * kScoreStride];
    ForEachBlock(KvPart::kKey, [&](int64_t key, const BlockRows<T>& block) HWY_ATTR {
      ForEachGroup(kv_head, heads, block,
                   [&](int head, int count, const BlockRows<T>& rows) HWY_ATTR {
                     WithHeads(count, [&]<int kHeads>() HWY_ATTR {
                       Score<T, kHeads>(rows, queries + head * head_dim, head_dim, scale,
                                        scores + head * kScoreStride + key);
                     });
                   });
    });
    for (int head = 0; head < heads; ++head) {
      float* partial = partials + head * partial_stride;
      Exponentiate(scores + head * kScoreStride, keys_, &partial[0], &partial[1]);
      std::fill_n(partial + 2, head_dim, 0.0f);
    }
    ForEachBlock(KvPart::kValue, [&](int64_t key, const BlockRows<T>& block) HWY_ATTR {
      ForEachGroup(kv_head, heads, block,
                   [&](int head, int count, const BlockRows<T>& rows) HWY_ATTR {
                     WithHeads(count, [&]<int kHeads>() HWY_ATTR {
                       AddValues<T, kHeads>(rows, head_dim, scores + head * kScoreStride + key,
                                            partials + head * partial_stride + 2, partial_stride);
                     });
                   });
    });
  }

 private:
  /// Calls visit(key, rows) for each block, with the rows of KV head 0.
  template <typename Visit>
  HWY_INLINE void ForEachBlock(KvPart part, const Visit& visit) const {
    BlockRows<T> rows = {.first = nullptr, .next = nullptr, .count = 0, .stride = row_size_};
    int64_t key = 0;
    for (int64_t block = 0; block < blocks_; ++block, key += rows.count) {
      const int64_t skipped = block == 0 ? first_in_block_ : 0;
      rows.first = Block(part, block) + skipped * row_size_;
      rows.next = BlockAhead(part, block + blocks_ahead_) + skipped * row_size_;
      FetchPages(BlockAhead(part, block + 2 * blocks_ahead_));
      rows.count = std::min(keys_ - key, block_tokens_ - skipped);
      visit(key, rows);
    }
  }

  /// Calls visit(head, count, rows) for heads that can share one reading of a KV head's rows.
  template <typename Visit>
  HWY_INLINE void ForEachGroup(int kv_head, int heads, const BlockRows<T>& block,
                               const Visit& visit) const {
    const int group = shape_.group();
    for (int head = 0; head < heads;) {
      const int count = std::min({kMaxHeads, heads - head, group - head % group});
      const int64_t offset = int64_t{kv_head + head / group} * shape_.head_dim;
      BlockRows<T> rows = block;
      rows.first += offset;
      rows.next += offset;
      visit(head, count, rows);
      head += count;
    }
  }

  const T* BlockOf(KvPart part, int32_t id) const {
    return planes_[static_cast<int>(part)] + id * block_tokens_ * row_size_;
  }

  /// The `block`-th of the partition.
  const T* Block(KvPart part, int64_t block) const { return BlockOf(part, block_table_[block]); }

  /// Behind the keys come the values; behind these, the next keys, or else what is there already.
  const T* BlockAhead(KvPart part, int64_t block) const {
    if (block < blocks_) return Block(part, block);
    const int64_t behind = block - blocks_;
    if (part == KvPart::kKey) return Block(KvPart::kValue, std::min(behind, blocks_ - 1));
    const bool known = behind < static_cast<int64_t>(next_blocks_.size());
    return known ? BlockOf(KvPart::kKey, next_blocks_[behind]) : Block(part, blocks_ - 1);
  }

  /// Starts looking up where a block's pages are, which takes as long as fetching it.
  void FetchPages(const T* block) const {
    const auto* bytes = reinterpret_cast<const char*>(block);
    const auto size = static_cast<int64_t>(sizeof(T)) * block_tokens_ * row_size_;
    for (int64_t i = 0; i < size; i += kPage) hwy::Prefetch(bytes + i);
    hwy::Prefetch(bytes + size - 1);
  }

  const AttentionShape& shape_;
  const int64_t keys_;
  const int64_t row_size_;  // Elements of a token, of all KV heads.
  const int64_t block_tokens_, first_in_block_, blocks_, blocks_ahead_;
  const int32_t* const block_table_;  // From the first key's block on.
  const std::span<const int32_t> next_blocks_;
  const T* const planes_[2];  // All blocks' keys, and values.
};

template <typename T>
void AttendPartition(const AttentionShape& shape, const KvView& kv, int64_t position,
                     KvHeadRange kv_heads, int64_t partition, const float* queries, float* partials,
                     std::span<const int32_t> next_blocks) {
  const int64_t first_key = partition * kKeyPartition;
  const int64_t keys = std::min<int64_t>(kKeyPartition, position + 1 - first_key);
  const PartitionAttention<T> attention(shape, kv, first_key, keys, next_blocks);
  const int at_once = std::max(1, kScoredHeads / shape.group());
  for (int done = 0; done < kv_heads.count; done += at_once) {
    const int heads = std::min(at_once, kv_heads.count - done) * shape.group();
    for (int head = 0; head < heads; head += kScoredHeads) {
      const int64_t first = int64_t{done} * shape.group() + head;
      attention.Run(kv_heads.first + done, std::min(kScoredHeads, heads - head),
                    queries + first * shape.head_dim, partials + first * (2 + shape.head_dim));
    }
  }
}

void DecodeAttentionOfType(const AttentionShape& shape, const KvView& kv, int64_t position,
                           KvHeadRange kv_heads, int64_t partition, const float* queries,
                           float* partials, std::span<const int32_t> next_blocks) {
  switch (kv.pool->layout().dtype) {
    case DataType::kFloat32:
      return AttendPartition<float>(shape, kv, position, kv_heads, partition, queries, partials,
                                    next_blocks);
    case DataType::kFloat16:
      return AttendPartition<hwy::float16_t>(shape, kv, position, kv_heads, partition, queries,
                                             partials, next_blocks);
    case DataType::kBFloat16:
      return AttendPartition<hwy::bfloat16_t>(shape, kv, position, kv_heads, partition, queries,
                                              partials, next_blocks);
  }
}

/// Partials of one head that stand `stride` floats apart, in the partitions' order.
void CombineHead(int64_t partitions, const float* partials, int64_t stride, int64_t head_dim,
                 float* output) {
  const D d;
  const int64_t lanes = hn::Lanes(d);
  float maximum = partials[0];
  for (int64_t p = 1; p < partitions; ++p) maximum = std::max(maximum, partials[p * stride]);
  float sum = 0.0f;
  std::fill_n(output, head_dim, 0.0f);
  for (int64_t begin = 0; begin < partitions; begin += kCombinedAtOnce) {
    const int64_t count = std::min(kCombinedAtOnce, partitions - begin);
    const float* first = partials + begin * stride;
    alignas(64) float weights[kCombinedAtOnce] = {};
    for (int64_t p = 0; p < count; ++p) weights[p] = first[p * stride] - maximum;
    for (int64_t p = 0; p < count; p += lanes) {
      hn::Store(hn::Exp(d, hn::Load(d, weights + p)), d, weights + p);
    }
    for (int64_t p = 0; p < count; ++p) sum += weights[p] * first[p * stride + 1];
    for (int64_t i = 0; i < head_dim; i += lanes) {
      V values = hn::LoadU(d, output + i);
      for (int64_t p = 0; p < count; ++p) {
        const V part = hn::LoadU(d, first + p * stride + 2 + i);
        values = hn::MulAdd(hn::Set(d, weights[p]), part, values);
      }
      hn::StoreU(values, d, output + i);
    }
  }
  const V inverse = hn::Set(d, 1.0f / sum);
  for (int64_t i = 0; i < head_dim; i += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, output + i), inverse), d, output + i);
  }
}

void CombinePartitions(const AttentionShape& shape, int64_t partitions, const float* partials,
                       int64_t stride, float* output) {
  const int64_t head_dim = shape.head_dim;
  for (int head = 0; head < shape.group(); ++head) {
    CombineHead(partitions, partials + head * (2 + head_dim), stride, head_dim,
                output + head * head_dim);
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(DecodeAttentionOfType);
HWY_EXPORT(CombinePartitions);

void DecodeAttention(const AttentionShape& shape, const KvView& kv, int64_t position,
                     KvHeadRange kv_heads, int64_t partition, const float* queries, float* partials,
                     std::span<const int32_t> next_blocks) {
  HWY_DYNAMIC_DISPATCH(DecodeAttentionOfType)
  (shape, kv, position, kv_heads, partition, queries, partials, next_blocks);
}

void CombineDecodeAttention(const AttentionShape& shape, int64_t partitions, const float* partials,
                            int64_t stride, float* output) {
  HWY_DYNAMIC_DISPATCH(CombinePartitions)(shape, partitions, partials, stride, output);
}

}  // namespace tandem::compute
#endif
