#include "store/master/tombstones.h"

#include <algorithm>
#include <span>

#include "base/hash.h"

namespace tandem::store {
namespace {

constexpr size_t kMost = 1 << 20;

uint64_t Hash(const std::string& key) { return Checksum64(std::as_bytes(std::span(key))); }

}  // namespace

proto::Tombstone Tombstones::Make(const std::string& key, uint64_t generation) {
  proto::Tombstone tombstone;
  tombstone.set_key_hash(Hash(key));
  tombstone.set_generation(generation);
  return tombstone;
}

void Tombstones::Add(const std::string& key, uint64_t generation) { Add(Make(key, generation)); }

void Tombstones::Add(const proto::Tombstone& tombstone) {
  if (generations_.size() >= kMost) {
    for (const auto& [hash, newest] : generations_) all_below_ = std::max(all_below_, newest);
    generations_.clear();
  }
  uint64_t& newest = generations_[tombstone.key_hash()];
  newest = std::max(newest, tombstone.generation());
}

bool Tombstones::Cover(const std::string& key, uint64_t generation) const {
  if (generation <= all_below_) return true;
  const auto found = generations_.find(Hash(key));
  return found != generations_.end() && generation <= found->second;
}

}  // namespace tandem::store
