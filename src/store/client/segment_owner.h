#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "store/client/disk_tier.h"
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
  /// `disk` has what was written to disk of it, and must outlive this; null for nothing.
  explicit SegmentOwner(const DiskTier* disk = nullptr) : disk_(disk) {}

  /// Takes `size` bytes of memory. Call it once, before anything else is called by other threads.
  absl::Status Open(uint64_t size);

  uint64_t size() const { return memory_ == nullptr ? 0 : memory_->region->bytes().size(); }
  uint64_t address() const {
    return memory_ == nullptr ? 0 : reinterpret_cast<uint64_t>(memory_->region->bytes().data());
  }
  /// The name of the socket for transfer::SharedMemoryPeer; empty before Open.
  std::string socket_name() const { return server_ == nullptr ? "" : server_->socket_name(); }

  /// Until then the master takes this owner for alive. Afterwards other objects may stand under the
  /// keys of those that are here, so nothing is read until a later time is set. Without a call
  /// there is no limit.
  void ServeUntil(TimePoint time) { serves_until_.store(time, std::memory_order_relaxed); }

  absl::StatusOr<transfer::ReadableBytes> OpenForRead(const Extent& extent) override;
  absl::StatusOr<DiskReader> OpenOnDisk(const Extent& extent) override;
  absl::StatusOr<transfer::WritableBytes> OpenForWrite(const Extent& extent) override;
  void Arrived(const Extent& extent, uint64_t position, uint64_t length) override;
  absl::Status Publish(const HeldObject& object) override;
  absl::Status PublishChecked(const HeldObject& object) override;
  absl::Status CheckGrant(const Extent& extent, Access access, const ExtentGrant& grant) override;
  void Forget(const Extent& extent) override;

  /// As OpenForRead, to write the bytes to disk: the master is not told of it as of a reader.
  absl::StatusOr<transfer::ReadableBytes> OpenForStore(const Extent& extent);

  /// For the master, who signs grants with it.
  const ExtentGrantKey& grant_key() const { return grant_key_; }

  std::vector<HeldObject> Published() const;
  std::vector<uint64_t> Held() const;
  bool IsPublished(const Extent& extent) const;

 private:
  /// Shared with every hold, so that a transfer or a handle may outlive the owner.
  struct Memory {
    std::shared_ptr<const transfer::MemoryRegion> region;
    ExtentDirectory directory;
  };
  class Hold;

  absl::StatusOr<std::span<std::byte>> Bytes(const Extent& extent) const;
  absl::Status CheckServes() const;

  const DiskTier* const disk_;
  const ExtentGrantKey grant_key_ = ExtentGrantKey::Random();
  std::atomic<TimePoint> serves_until_ = TimePoint::max();
  std::shared_ptr<Memory> memory_;
  std::unique_ptr<transfer::SharedMemoryServer> server_;
};

}  // namespace tandem::store
