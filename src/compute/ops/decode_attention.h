#pragma once

#include <cstdint>

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

/// One token's attention of the heads that share `kv_head` to the keys of one partition up to the
/// token's own position. `queries` [group, head_dim]; writes `partial`, DecodePartialSize floats.
void DecodeAttention(const AttentionShape& shape, const KvView& kv, int64_t position, int kv_head,
                     int64_t partition, const float* queries, float* partial);

/// Puts the partials of a token and KV head together in the partitions' order; `partials` stand one
/// after the other. Writes `output` [group, head_dim].
void CombineDecodeAttention(const AttentionShape& shape, int64_t partitions, const float* partials,
                            float* output);

}  // namespace tandem::compute
