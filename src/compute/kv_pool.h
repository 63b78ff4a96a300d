#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "compute/data_type.h"

namespace tandem::compute {

/// The shape of a model's KV cache.
struct KvLayout {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int block_tokens = 16;
  DataType dtype = DataType::kFloat16;

  /// Bytes of one token's K (or V) in one layer: [kv_heads * head_dim].
  size_t token_bytes() const { return size_t{1} * kv_heads * head_dim * SizeOf(dtype); }
  /// Bytes of one block's K (or V) in one layer: [block_tokens, kv_heads * head_dim].
  size_t block_bytes() const { return token_bytes() * block_tokens; }
  /// Bytes of one token over all layers, K and V.
  size_t all_token_bytes() const { return token_bytes() * 2 * layers; }

  bool operator==(const KvLayout&) const = default;
};

enum class KvPart { kKey = 0, kValue = 1 };

/// The memory of the KV cache: for each layer and part an array [blocks, block_tokens, kv_heads *
/// head_dim]. Keys are stored after rotation. Values are rounded to the dtype when written, and
/// every reader sees the rounded value. Owns the memory, which is touched only as blocks are used.
/// Who may write which block is decided by the engine's block pool.
class KvPool {
 public:
  /// ResourceExhausted if the address space cannot be had.
  static absl::StatusOr<KvPool> Create(const KvLayout& layout, int num_blocks);
  ~KvPool();
  KvPool(KvPool&& other) noexcept;
  KvPool& operator=(KvPool&& other) noexcept;

  const KvLayout& layout() const { return layout_; }
  int num_blocks() const { return num_blocks_; }

  /// Start of a block: [block_tokens, kv_heads * head_dim], contiguous, 64-byte aligned.
  std::byte* Block(int layer, KvPart part, int32_t block) const {
    const size_t plane = (size_t(layer) * 2 + static_cast<size_t>(part)) * num_blocks_;
    return memory_ + (plane + block) * layout_.block_bytes();
  }

 private:
  KvPool(const KvLayout& layout, int num_blocks, std::byte* memory)
      : layout_(layout), num_blocks_(num_blocks), memory_(memory) {}

  KvLayout layout_;
  int num_blocks_ = 0;
  std::byte* memory_ = nullptr;
};

}  // namespace tandem::compute
