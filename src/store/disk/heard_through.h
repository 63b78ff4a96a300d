#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace tandem::store {

/// Up to where a directory's objects are known to have outlived all removals: each removal of a
/// generation below this that concerned one of them has taken it off the disk for good. So a master
/// that remembers only later removals need not refuse them (store.proto, RegisterObjectsRequest).
struct HeardThrough {
  uint64_t generation = 0;  ///< 0: nothing is known.
  std::string epoch;        ///< Names the life of the master that told it.

  friend bool operator==(const HeardThrough&, const HeardThrough&) = default;
};

// The file "heard" in an object log's directory; numbers are little-endian, of 8 bytes:
//
//    0  magic
//    8  XXH3-64 of what follows
//   16  generation
//   24  epoch, to the end of the file

/// The longest epoch that is kept.
inline constexpr size_t kMostEpochBytes = 64;

std::string PackHeardThrough(const HeardThrough& heard);
/// DataLoss for bytes that PackHeardThrough does not make.
absl::StatusOr<HeardThrough> UnpackHeardThrough(std::span<const std::byte> bytes);

/// What was written last; nothing is known where that is not there or damaged.
HeardThrough ReadHeardThrough(const std::string& directory);

/// Replaces the file in one step, which outlives a crash of the machine, as does by then each
/// deletion of a file in the directory. To be called only once the removals that it speaks of
/// are synced. Blocks. On an error the file is as it was, or as it was to be.
absl::Status WriteHeardThrough(const std::string& directory, const HeardThrough& heard);

}  // namespace tandem::store
