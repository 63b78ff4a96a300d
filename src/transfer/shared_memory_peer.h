#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "transfer/extent.h"
#include "transfer/memory_region.h"
#include "transfer/shared_memory_messages.h"

namespace tandem::transfer {

/// A reader's way to a segment of another process on this host: the segment's mapping and the
/// connection on which the owner pins what is being read. Safe for use by several threads.
class SharedMemoryPeer : public std::enable_shared_from_this<SharedMemoryPeer> {
 public:
  /// Connects to the owner's socket ("@...") and maps its segment. NotFound if nobody listens: the
  /// owner has gone; PermissionDenied if it runs under another user; DeadlineExceeded if it does
  /// not answer.
  static absl::StatusOr<std::shared_ptr<SharedMemoryPeer>> Connect(const std::string& socket_name,
                                                                   TimePoint deadline);

  /// Pins extents and gives their bytes in the mapping, in the order asked; one round trip for 128
  /// of them. Each stays pinned as long as its result is held. NotFound for what the owner no
  /// longer holds; ResourceExhausted beyond kMaxPinsPerConnection; Unavailable once the connection
  /// has ended, be the owner gone or not; DeadlineExceeded if it does not answer.
  std::vector<absl::StatusOr<ReadableBytes>> Pin(const std::vector<Extent>& extents,
                                                 TimePoint deadline);

  /// Tells the owner what has been let go, if the socket was too full to do so at once. Call it now
  /// and then.
  void Flush();

  /// Whether the connection has ended.
  bool broken() const;

 private:
  class Hold;
  SharedMemoryPeer(ScopedFd socket, std::unique_ptr<MappedRegion> region)
      : socket_(std::move(socket)), region_(std::move(region)) {}

  absl::Status PinSome(std::span<const Extent> extents, TimePoint deadline,
                       std::vector<absl::StatusOr<ReadableBytes>>& results);
  absl::Status WaitForReply(uint64_t first_id, TimePoint deadline, PinReply& reply);
  void Unpin(uint64_t first_id, uint32_t count);
  void SendUnpins() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MarkBroken();

  const ScopedFd socket_;
  const std::unique_ptr<MappedRegion> region_;
  mutable Mutex mutex_;
  CondVar idle_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // one request is in flight at a time
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<uint64_t> to_unpin_ ABSL_GUARDED_BY(mutex_);  // not sent yet
};

}  // namespace tandem::transfer
