#pragma once

#include <cstdint>
#include <span>

#include "compute/aligned_buffer.h"
#include "compute/ops/attention_shape.h"

namespace tandem::compute {

/// Floats that one partition of one KV head gives: for each head of the group the largest score,
/// the sum of exp(score - largest), and the values weighted with these, not yet divided: [group, 2
/// + head_dim].
inline int64_t DecodePartialSize(const AttentionShape& shape) {
  return int64_t{shape.group()} * (2 + shape.head_dim);
}

constexpr int64_t KeyPartitions(int64_t position) { return position / kKeyPartition + 1; }

/// KV heads [first, first + count).
struct KvHeadRange {
  int first = 0;
  int count = 1;
};

/// One token's attention of the heads that share the KV heads to the keys of one partition up to
/// the token's own position. `queries` [heads, head_dim]; writes `partials`, DecodePartialSize
/// floats for each KV head. A head's result does not depend on the others asked for. `next_blocks`
/// may tell whose keys of this layer are likely to be read next: the first are fetched meanwhile.
void DecodeAttention(const AttentionShape& shape, const KvView& kv, int64_t position,
                     KvHeadRange kv_heads, int64_t partition, const float* queries, float* partials,
                     std::span<const int32_t> next_blocks = {});

/// Puts the partials of a token and KV head together in the partitions' order; they stand `stride`
/// floats apart. Writes `output` [group, head_dim].
void CombineDecodeAttention(const AttentionShape& shape, int64_t partitions, const float* partials,
                            int64_t stride, float* output);

}  // namespace tandem::compute
