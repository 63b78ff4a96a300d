#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cache/chunk_key.h"
#include "cache/kv_codec.h"

namespace tandem::cache {

/// A chunk of a prompt and the key it is kept under.
struct Chunk {
  TokenRange range;
  std::string key;
};

/// How a prompt is cut for looking up and for saving.
struct ChunkPolicy {
  int chunk_size = 256;
  bool save_unfull_chunk = true;  ///< The tail behind the last whole chunk counts as a chunk.
  int skip_last_n_tokens = 0;     ///< Of a lookup without committed_tokens.
};

/// The chunks of one prompt: which are in the cache, which are being saved, which are neither. Safe
/// for use by several threads.
class ChunkLedger {
 public:
  /// `committed_tokens`: where the prefiller's tail ended, or -1. Without it tails are looked for
  /// at the end of the prompt and one before: upstream's proxies append the first generated token.
  ChunkLedger(std::span<const int32_t> prompt, int committed_tokens, const ChunkPolicy& policy,
              uint64_t root_hash, const ChunkKeyFormat& format);

  /// What to look up, in the order RecordLookup takes its results in. Does not change.
  std::vector<Chunk> ChunksToLookUp() const;
  void RecordLookup(const std::vector<bool>& found);

  /// Leading tokens that are in the cache.
  int LeadingTokens() const;

  /// The chunks from which positions [first, end) can be loaded, in order; `end` is at most
  /// LeadingTokens().
  std::vector<Chunk> ChunksToLoad(int first, int end) const;
  /// What starts at or behind `position` cannot be loaded after all.
  void MarkLost(int position);

  /// Hands out the chunks below `computed` that are neither in the cache nor being saved. Each is
  /// given back by MarkSaved, in any order.
  std::vector<Chunk> TakeUnsaved(int computed);
  void MarkSaved(const Chunk& chunk, bool saved);

 private:
  enum class State { kAbsent, kSaving, kPresent };
  struct Entry {
    Chunk chunk;
    bool looked_up = false;
    bool saved_here = false;  // Belongs to what this prompt saves.
    State state = State::kAbsent;
  };

  void AddTail(std::span<const int32_t> prompt, int end, bool looked_up, bool saved_here,
               const ChunkKeyFormat& format) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  /// The entry that covers `range`; there is one.
  Entry& EntryOf(TokenRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int chunk_size_;
  // Constant once built.
  std::vector<uint64_t> hashes_;  // hashes_[i]: of the first i whole chunks.
  size_t whole_ = 0;              // Number of whole chunks.

  mutable Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // Whole chunks in order, then tails.
};

}  // namespace tandem::cache
