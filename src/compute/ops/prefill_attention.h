#pragma once

#include <cstdint>

#include "compute/aligned_buffer.h"
#include "compute/ops/attention_shape.h"

namespace tandem::compute {

/// Memory that one thread works in.
struct PrefillAttentionScratch {
  AlignedBuffer<float> queries;                  ///< [head_dim, rows]
  AlignedBuffer<float> outputs;                  ///< [head_dim, rows]
  AlignedBuffer<float> scores;                   ///< [kKeyPartition, rows]
  AlignedBuffer<float> keys;                     ///< [kKeyPartition, head_dim]
  AlignedBuffer<float> values;                   ///< [kKeyPartition, head_dim]
  AlignedBuffer<float> maxima, sums, positions;  ///< [rows]
};

/// Consecutive tokens of a prompt and one KV head: causal attention of all heads that share it.
struct PrefillAttentionTile {
  const float* queries = nullptr;  ///< Of the first token and of the group's first head.
  float* outputs = nullptr;        ///< The same place in the result; may be `queries`.
  int64_t query_stride = 0;        ///< Floats from one token to the next.
  int64_t output_stride = 0;
  int tokens = 0;
  int first_position = 0;
  int kv_head = 0;
};

/// Tokens that a tile should have.
int PrefillAttentionTileTokens(const AttentionShape& shape);

/// Rows stand side by side in vectors and keys follow one another, so a row's result depends on its
/// own position, query and keys alone.
void PrefillAttention(const AttentionShape& shape, const KvView& kv,
                      const PrefillAttentionTile& tile, PrefillAttentionScratch& scratch);

}  // namespace tandem::compute
