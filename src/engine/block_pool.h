#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/block_hash.h"

namespace tandem::engine {

/// Who uses which block of the KV pool. Blocks are counted references; a block without any is free
/// and stands in a list from the least to the most recently used. A free block that was published
/// under a hash can still be found until it is given out again. Engine's thread only.
class BlockPool {
 public:
  explicit BlockPool(int num_blocks);

  /// Appends `count` blocks with one reference each to `table`; false, and nothing changed, if
  /// fewer are free.
  bool Allocate(int count, std::vector<int32_t>& table);

  void AddReferences(std::span<const int32_t> blocks);

  /// Drops a reference of each. Of those that become free, the last is reused first: the head of a
  /// prefix is worth most.
  void Release(std::span<const int32_t> blocks);

  /// Names the content of a complete block. The first block published under a hash keeps it.
  void Publish(int32_t block, const BlockHash& hash);

  /// The blocks of the longest known prefix of `hashes`, with one reference each.
  std::vector<int32_t> Find(std::span<const BlockHash> hashes);

  int num_blocks() const { return static_cast<int>(blocks_.size()) - 1; }
  int free_blocks() const { return free_blocks_; }
  int used_blocks() const { return num_blocks() - free_blocks_; }
  size_t published_blocks() const { return published_.size(); }

 private:
  struct Block {
    int references = 0;
    int32_t previous = -1;  // In the free list.
    int32_t next = -1;
    std::optional<BlockHash> hash;
  };

  void Unlink(int32_t block);
  void LinkLast(int32_t block);

  // The last one is the free list's sentinel: its next is the least recently used.
  std::vector<Block> blocks_;
  const int32_t sentinel_;
  int free_blocks_;
  absl::flat_hash_map<BlockHash, int32_t> published_;
};

}  // namespace tandem::engine
