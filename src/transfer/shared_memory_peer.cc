#include "transfer/shared_memory_peer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {

/// A pinned extent; lets go of it when the last copy of the bytes' hold is gone.
class SharedMemoryPeer::Hold {
 public:
  Hold(std::shared_ptr<SharedMemoryPeer> peer, uint64_t id) : peer_(std::move(peer)), id_(id) {}
  ~Hold() { peer_->Unpin(id_, 1); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  const std::shared_ptr<SharedMemoryPeer> peer_;
  const uint64_t id_;
};

absl::StatusOr<std::shared_ptr<SharedMemoryPeer>> SharedMemoryPeer::Connect(
    const std::string& socket_name, TimePoint deadline) {
  ASSIGN_OR_RETURN(ScopedFd socket, ConnectToUnixSocket(socket_name, deadline));
  if (!PeerIsSameUser(socket)) {
    return absl::PermissionDeniedError("the owner of the segment runs under another user");
  }
  SharedMemoryHello hello;
  ScopedFd memory;
  ASSIGN_OR_RETURN(
      const size_t length,
      ReceivePacket(socket, std::as_writable_bytes(std::span(&hello, 1)), deadline, &memory));
  if (length != sizeof(hello) || hello.magic != kSharedMemoryMagic || !memory.valid()) {
    return absl::InvalidArgumentError("what listens there is not the owner of a segment");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<MappedRegion> region, MappedRegion::Map(memory, hello.size));
  return std::shared_ptr<SharedMemoryPeer>(
      new SharedMemoryPeer(std::move(socket), std::move(region)));
}

std::vector<absl::StatusOr<ReadableBytes>> SharedMemoryPeer::Pin(const std::vector<Extent>& extents,
                                                                 TimePoint deadline) {
  std::vector<absl::StatusOr<ReadableBytes>> results;
  results.reserve(extents.size());
  absl::Status status = absl::OkStatus();
  {
    MutexLock lock(mutex_);
    if (!idle_.WaitUntil(mutex_, deadline,
                         [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !busy_; })) {
      status = absl::DeadlineExceededError("the owner of a segment does not answer");
    } else {
      busy_ = true;
    }
  }
  if (status.ok()) {
    for (size_t i = 0; status.ok() && i < extents.size(); i += kMaxPinsPerPacket) {
      const size_t count = std::min(kMaxPinsPerPacket, extents.size() - i);
      status = PinSome(std::span(extents).subspan(i, count), deadline, results);
    }
    MutexLock lock(mutex_);
    busy_ = false;
    idle_.NotifyOne();
  }
  if (absl::IsUnavailable(status)) MarkBroken();
  if (!status.ok()) results.resize(extents.size(), status);
  return results;
}

absl::Status SharedMemoryPeer::PinSome(std::span<const Extent> extents, TimePoint deadline,
                                       std::vector<absl::StatusOr<ReadableBytes>>& results) {
  PinRequest request{.kind = PinRequest::kPin, .count = static_cast<uint32_t>(extents.size())};
  {
    MutexLock lock(mutex_);
    if (broken_) return absl::UnavailableError("the connection to a segment's owner is broken");
    for (uint32_t i = 0; i < request.count; ++i) request.items[i] = {next_id_++, extents[i]};
  }
  const uint64_t first_id = request.items[0].id;
  // What was let go of before may have filled the socket.
  RETURN_IF_ERROR(SendPacketBy(deadline, socket_,
                               std::as_bytes(std::span(&request, 1)).first(request.packet_size())));
  PinReply reply;
  const absl::Status status = WaitForReply(first_id, deadline, reply);
  if (!status.ok()) {
    // The owner may still get to it; what it pins then is let go right after.
    Unpin(first_id, request.count);
    return status;
  }
  for (uint32_t i = 0; i < request.count; ++i) {
    const Extent& extent = extents[i];
    if (reply.answers[i] == PinReply::kNotNow) {
      // Not kUnavailable: the connection is as good as before.
      results.push_back(absl::FailedPreconditionError(
          "the owner has been out of the master's reach for too long"));
      continue;
    }
    if (reply.answers[i] == PinReply::kTooMany) {
      results.push_back(absl::ResourceExhaustedError(
          absl::StrCat("this process holds ", kMaxPinsPerConnection,
                       " objects of one owner, and no more are pinned for it")));
      continue;
    }
    if (reply.answers[i] != PinReply::kPinned) {
      results.push_back(absl::NotFoundError("the owner no longer holds the object"));
      continue;
    }
    auto hold = std::make_shared<const Hold>(shared_from_this(), request.items[i].id);
    const uint64_t size = region_->bytes().size();
    if (extent.offset > size || extent.length > size - extent.offset) {
      results.push_back(absl::OutOfRangeError("the extent reaches beyond the segment"));
      continue;
    }
    results.push_back(
        ReadableBytes{region_->bytes().subspan(extent.offset, extent.length), std::move(hold)});
  }
  return absl::OkStatus();
}

absl::Status SharedMemoryPeer::WaitForReply(uint64_t first_id, TimePoint deadline,
                                            PinReply& reply) {
  AwaitPromptPacket(socket_, deadline);
  do {  // replies to requests that were given up come first
    ASSIGN_OR_RETURN(
        const size_t length,
        ReceivePacket(socket_, std::as_writable_bytes(std::span(&reply, 1)), deadline));
    if (length != sizeof(reply)) return absl::UnavailableError("a segment's owner sent nonsense");
  } while (reply.first_id != first_id);
  return absl::OkStatus();
}

void SharedMemoryPeer::Unpin(uint64_t first_id, uint32_t count) {
  MutexLock lock(mutex_);
  for (uint32_t i = 0; i < count; ++i) to_unpin_.push_back(first_id + i);
  SendUnpins();
}

void SharedMemoryPeer::Flush() {
  MutexLock lock(mutex_);
  SendUnpins();
}

void SharedMemoryPeer::SendUnpins() {
  while (!to_unpin_.empty() && !broken_) {
    PinRequest request{.kind = PinRequest::kUnpin};
    request.count = static_cast<uint32_t>(std::min(kMaxPinsPerPacket, to_unpin_.size()));
    for (uint32_t i = 0; i < request.count; ++i) {
      request.items[i].id = to_unpin_[to_unpin_.size() - request.count + i];
    }
    if (!SendPacket(socket_, std::as_bytes(std::span(&request, 1)).first(request.packet_size()))
             .ok()) {
      return;
    }
    to_unpin_.resize(to_unpin_.size() - request.count);
  }
}

void SharedMemoryPeer::MarkBroken() {
  MutexLock lock(mutex_);
  broken_ = true;
}

bool SharedMemoryPeer::broken() const {
  MutexLock lock(mutex_);
  return broken_;
}

}  // namespace tandem::transfer
