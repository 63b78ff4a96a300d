#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "store/client/extent_directory.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"
#include "transfer/shared_memory_server.h"

namespace tandem::store {

/// A mounted segment in its owner's process: its memory, what is in it, and the socket on which
/// processes of this host ask for it. One that is never opened refuses everything: that of a client
/// which lends no memory. Safe for use by several threads after Open.
class SegmentOwner : public transfer::ExtentHost {
 public:
  /// Takes `size` bytes of memory. Call it once, before anything else is called by other threads.
  absl::Status Open(uint64_t size);

  uint64_t size() const { return memory_ == nullptr ? 0 : memory_->region->bytes().size(); }
  uint64_t address() const {
    return memory_ == nullptr ? 0 : reinterpret_cast<uint64_t>(memory_->region->bytes().data());
  }
  /// The name of the socket for transfer::SharedMemoryPeer; empty before Open.
  std::string socket_name() const { return server_ == nullptr ? "" : server_->socket_name(); }

  absl::StatusOr<transfer::ReadableBytes> OpenForRead(const Extent& extent) override;
  absl::StatusOr<transfer::WritableBytes> OpenForWrite(const Extent& extent) override;
  absl::Status Publish(const HeldObject& object) override;
  void Forget(const Extent& extent) override;

  /// As Publish, for bytes this process has written itself and whose checksum it has just computed.
  absl::Status PublishOwn(const HeldObject& object);
  std::vector<HeldObject> Published() const;

 private:
  /// Shared with every hold, so that a transfer or a handle may outlive the owner.
  struct Memory {
    std::shared_ptr<const transfer::MemoryRegion> region;
    ExtentDirectory directory;
  };
  class Hold;

  absl::StatusOr<std::span<std::byte>> Bytes(const Extent& extent) const;

  std::shared_ptr<Memory> memory_;
  std::unique_ptr<transfer::SharedMemoryServer> server_;
};

}  // namespace tandem::store
