#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/client/store_client.h"

namespace tandem::cache {

/// Room for one chunk in a tier, or why there is none.
struct ChunkRoom {
  enum class State {
    kReserved,  ///< To be filled and committed.
    kPresent,   ///< The chunk is there already, readable.
    kBusy,      ///< Another writer is at it.
    kRefused,   ///< No space, or the tier cannot be reached.
  };
  State state = State::kRefused;
  std::unique_ptr<store::Reservation> reservation;
};

/// A place where chunks are kept. A failure of any kind is a chunk that is not there, or not kept;
/// its cause is counted. Safe for use by several threads. Every call ends by its deadline. Results
/// stand in the order of the keys.
class Tier {
 public:
  virtual ~Tier() = default;

  /// Bytes of each chunk, or -1 if it is not there.
  virtual std::vector<int64_t> Find(std::span<const std::string> keys,
                                    const store::CallContext& call) = 0;

  /// Chunks that were found; null where one cannot be read.
  virtual std::vector<std::unique_ptr<store::ReadHandle>> Read(std::span<const std::string> keys,
                                                               TimePoint deadline) = 0;

  virtual std::vector<ChunkRoom> Reserve(std::span<const std::string> keys,
                                         std::span<const uint64_t> sizes,
                                         const store::CallContext& call) = 0;

  /// Publishes filled reservations; whether each is readable from now on.
  virtual std::vector<bool> Commit(std::vector<std::unique_ptr<store::Reservation>> reservations,
                                   const store::CallContext& call) = 0;
};

}  // namespace tandem::cache
