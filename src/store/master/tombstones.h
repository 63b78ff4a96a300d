#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// Which objects are gone for good, so that an owner who comes back after a long silence, or late
/// after the master's restart, registers none of them again: removals are told only to owners whose
/// segments are mounted. Remembers the last million; what is older than those an owner that was
/// away all the while may not register at all. Not synchronised.
class Tombstones {
 public:
  /// No object of that key whose generation is `generation` or less comes back.
  void Add(const std::string& key, uint64_t generation);
  void Add(const proto::Tombstone& tombstone);
  static proto::Tombstone Make(const std::string& key, uint64_t generation);
  /// Whether a holder that was away may not register this.
  bool Cover(const std::string& key, uint64_t generation) const;

  /// For a snapshot. What is older than those that are remembered is not among them.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const auto& [hash, generation] : generations_) visit(hash, generation);
  }

 private:
  absl::flat_hash_map<uint64_t, uint64_t> generations_;  // by the key's hash
  uint64_t all_below_ = 0;
};

}  // namespace tandem::store
