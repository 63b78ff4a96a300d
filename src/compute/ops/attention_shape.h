#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "compute/kv_pool.h"

namespace tandem::compute {

/// Keys are attended to in partitions that begin at absolute multiples of this, so that a token's
/// result does not depend on how its prompt was cut.
constexpr int kKeyPartition = 256;

struct AttentionShape {
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  ///< A multiple of 16.

  /// Heads that share a KV head.
  int group() const { return heads / kv_heads; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_dim)); }
};

/// One sequence's keys and values of one layer.
struct KvView {
  const KvPool* pool;
  int layer;
  std::span<const int32_t> block_table;

  /// The head_dim elements of one token's KV head.
  std::byte* Find(KvPart part, int64_t position, int kv_head) const {
    const KvLayout& layout = pool->layout();
    std::byte* block = pool->Block(layer, part, block_table[position / layout.block_tokens]);
    return block + position % layout.block_tokens * layout.token_bytes() +
           size_t{1} * kv_head * layout.head_dim * SizeOf(layout.dtype);
  }
};

}  // namespace tandem::compute
