#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "store/proto/store.pb.h"

namespace re2 {
class RE2;
}

namespace tandem::store {

/// Which objects are gone for good, so that an owner who comes back after a long silence, or late
/// after the master's restart, registers none of them again: removals are told only to owners whose
/// segments are mounted. Remembers the last `most`: what is as old as one that is forgotten may be
/// registered only by who had heard of that one. Not synchronised.
class Tombstones {
 public:
  explicit Tombstones(size_t most) : most_(most) {}

  /// No object of that key whose generation is `generation` or less comes back. No two removals
  /// have the same one, and later ones higher ones.
  void Add(const std::string& key, uint64_t generation);
  void Add(const proto::Tombstone& tombstone);
  /// As Add, of all keys in which `pattern`, a valid regular expression, is found; an empty one is
  /// found in all. Remembers the last sixteen patterns, as each registration is compared with all.
  void AddMatching(const std::string& pattern, uint64_t generation);
  static proto::Tombstone Make(const std::string& key, uint64_t generation);
  /// Whether a holder may not register this that has heard of all removals below `heard_through`.
  bool Cover(const std::string& key, uint64_t generation, uint64_t heard_through) const;

  /// The highest generation that was forgotten.
  uint64_t forgotten_through() const { return forgotten_through_; }
  /// Everything up to this generation was forgotten by an earlier life.
  void ForgetThrough(uint64_t generation);

  /// For a snapshot, the oldest first, as they are to be added again. What is older than those that
  /// are remembered is not among them, nor what was removed by a pattern.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const auto& [hash, generation] : added_) {
      if (generations_.at(hash) == generation) visit(hash, generation);
    }
  }

 private:
  void ForgetOldest();

  const size_t most_;
  absl::flat_hash_map<uint64_t, uint64_t> generations_;  // by the key's hash
  struct Added {
    uint64_t key_hash, generation;
  };
  std::deque<Added> added_;  // of generations_, the latest last
  struct Pattern {
    std::shared_ptr<const re2::RE2> expression;
    uint64_t generation;
  };
  std::deque<Pattern> patterns_;  // the last one used stands last
  uint64_t all_through_ = 0;      // of the empty pattern
  uint64_t forgotten_through_ = 0;
};

}  // namespace tandem::store
