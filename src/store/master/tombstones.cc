#include "store/master/tombstones.h"

#include <re2/re2.h>

#include <algorithm>
#include <span>

#include "base/hash.h"

namespace tandem::store {
namespace {

constexpr size_t kMostPatterns = 16;

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
  uint64_t& newest = generations_[tombstone.key_hash()];
  if (newest >= tombstone.generation() && newest != 0) return;
  newest = tombstone.generation();
  added_.push_back({tombstone.key_hash(), newest});
  if (added_.size() > most_) ForgetOldest();
}

void Tombstones::ForgetOldest() {
  const Added oldest = added_.front();
  added_.pop_front();
  const auto found = generations_.find(oldest.key_hash);
  // A later one of the same key stands for this as well.
  if (found->second != oldest.generation) return;
  generations_.erase(found);
  ForgetThrough(oldest.generation);
}

void Tombstones::ForgetThrough(uint64_t generation) {
  forgotten_through_ = std::max(forgotten_through_, generation);
}

void Tombstones::AddMatching(const std::string& pattern, uint64_t generation) {
  if (pattern.empty()) {
    all_through_ = std::max(all_through_, generation);
    return;
  }
  std::erase_if(patterns_, [&](const Pattern& known) {
    if (known.expression->pattern() != pattern) return false;
    generation = std::max(generation, known.generation);
    return true;
  });
  if (patterns_.size() == kMostPatterns) patterns_.pop_front();
  patterns_.push_back({std::make_shared<const RE2>(pattern), generation});
}

bool Tombstones::Cover(const std::string& key, uint64_t generation, uint64_t heard_through) const {
  if (generation <= all_through_) return true;
  if (generation <= forgotten_through_ && heard_through <= forgotten_through_) return true;
  const auto found = generations_.find(Hash(key));
  if (found != generations_.end() && generation <= found->second) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return generation <= pattern.generation && RE2::PartialMatch(key, *pattern.expression);
  });
}

}  // namespace tandem::store
