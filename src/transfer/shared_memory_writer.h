#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/scoped_fd.h"
#include "transfer/extent.h"
#include "transfer/memory_region.h"
#include "transfer/write_packet.h"

namespace tandem::transfer {

/// An object to be written into an extent, gathered from parts. Its checksum need not be known.
struct StagedWrite {
  HeldObject object;
  std::span<const std::span<const std::byte>> parts;
};

/// A writer's way into a segment of another process on this host: bytes are copied into memory of
/// the writer's own, from which the owner copies them into the segment, both at the same time and
/// through the caches. So no writer touches a segment, and none of its buffers is touched once
/// Write has returned. Of one thread at a time.
class SharedMemoryWriter {
 public:
  /// Connects to the owner's socket ("@..."). Errors are those of SharedMemoryPeer::Connect.
  static absl::StatusOr<std::unique_ptr<SharedMemoryWriter>> Connect(const std::string& socket_name,
                                                                     TimePoint deadline);

  /// Writes objects and has the owner publish them; the checksum of each, or why it was refused.
  /// Unavailable once the owner has gone; DeadlineExceeded at `deadline` or once it has not
  /// answered for `silence`, after which the connection is of no more use. With `beside_others`
  /// little is staged at a time, as the caches are shared with other writers.
  std::vector<absl::StatusOr<uint64_t>> Write(std::span<const StagedWrite> writes,
                                              TimePoint deadline, Duration silence,
                                              bool beside_others = false);

  /// Whether the connection has ended.
  bool broken() const { return broken_; }

 private:
  SharedMemoryWriter(ScopedFd socket, std::unique_ptr<MemoryRegion> staging)
      : socket_(std::move(socket)), staging_(std::move(staging)) {}

  /// A piece the owner has not answered for yet.
  struct Outstanding {
    size_t write;
    uint64_t end;  ///< Where the ring is free again once it is answered.
  };
  struct Batch {
    TimePoint deadline;
    Duration silence;
    uint64_t piece;                  ///< The most bytes of one.
    uint64_t ring;                   ///< How much of the staging memory is used.
    uint64_t staged = 0, freed = 0;  ///< Bytes put there, and free again.
    std::vector<absl::StatusOr<uint64_t>> results;
    WritePacket packet;
    std::deque<Outstanding> outstanding;
  };

  absl::Status Stage(const StagedWrite& write, size_t index, Batch& batch);
  absl::StatusOr<std::span<std::byte>> TakeRoom(uint64_t length, Batch& batch);
  absl::Status Send(Batch& batch);
  absl::Status TakeResults(Batch& batch);

  const ScopedFd socket_;
  const std::unique_ptr<MemoryRegion> staging_;
  bool broken_ = false;
};

}  // namespace tandem::transfer
