#include "engine/block_pool.h"

namespace tandem::engine {

BlockPool::BlockPool(int num_blocks)
    : blocks_(num_blocks + 1), sentinel_(num_blocks), free_blocks_(0) {
  blocks_[sentinel_].previous = blocks_[sentinel_].next = sentinel_;
  for (int32_t block = 0; block < num_blocks; ++block) LinkLast(block);
}

bool BlockPool::Allocate(int count, std::vector<int32_t>& table) {
  if (count > free_blocks_) return false;
  for (int i = 0; i < count; ++i) {
    const int32_t id = blocks_[sentinel_].next;
    Block& block = blocks_[id];
    Unlink(id);
    block.references = 1;
    if (block.hash) published_.erase(*block.hash);
    block.hash.reset();
    table.push_back(id);
  }
  return true;
}

void BlockPool::AddReferences(std::span<const int32_t> blocks) {
  for (const int32_t id : blocks) {
    if (blocks_[id].references++ == 0) Unlink(id);
  }
}

void BlockPool::Release(std::span<const int32_t> blocks) {
  for (auto id = blocks.rbegin(); id != blocks.rend(); ++id) {
    if (--blocks_[*id].references == 0) LinkLast(*id);
  }
}

void BlockPool::Publish(int32_t block, const BlockHash& hash) {
  if (blocks_[block].hash || !published_.emplace(hash, block).second) return;
  blocks_[block].hash = hash;
}

std::vector<int32_t> BlockPool::Find(std::span<const BlockHash> hashes) {
  std::vector<int32_t> found;
  for (const BlockHash& hash : hashes) {
    const auto entry = published_.find(hash);
    if (entry == published_.end()) break;
    found.push_back(entry->second);
  }
  AddReferences(found);
  return found;
}

void BlockPool::Unlink(int32_t id) {
  Block& block = blocks_[id];
  blocks_[block.previous].next = block.next;
  blocks_[block.next].previous = block.previous;
  --free_blocks_;
}

void BlockPool::LinkLast(int32_t id) {
  Block& block = blocks_[id];
  block.previous = blocks_[sentinel_].previous;
  block.next = sentinel_;
  blocks_[block.previous].next = id;
  blocks_[sentinel_].previous = id;
  ++free_blocks_;
}

}  // namespace tandem::engine
