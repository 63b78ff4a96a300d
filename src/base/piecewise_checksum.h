#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/hash.h"
#include "base/mutex.h"

namespace tandem {

/// Checksum64 of bytes whose pieces pass through the hands of several threads, in about the right
/// order: each is read while it is still in a cache, without another pass over all of them. Safe
/// for use by several threads.
class PiecewiseChecksum {
 public:
  /// `bytes` must be valid during calls of Add only.
  explicit PiecewiseChecksum(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// A piece will not change any more. Reads it, and what was added before and follows on it, once
  /// all before it was read; or leaves it to the thread that is reading just now.
  void Add(uint64_t position, uint64_t length);

  /// The checksum of the first `size` bytes, if just those were added, each once; waits for a
  /// thread that is reading.
  std::optional<uint64_t> Digest(uint64_t size);

 private:
  const std::span<const std::byte> bytes_;
  Mutex mutex_;
  CondVar read_;
  std::map<uint64_t, uint64_t> waiting_ ABSL_GUARDED_BY(mutex_);  // lengths by position
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;                      // of what was read
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool spoiled_ ABSL_GUARDED_BY(mutex_) = false;  // by a piece that was added again
  StreamingChecksum checksum_;                    // of the thread that is reading
};

}  // namespace tandem
