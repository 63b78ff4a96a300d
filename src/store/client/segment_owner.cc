#include "store/client/segment_owner.h"

#include <fmt/format.h>

#include <optional>

#include "base/hash.h"
#include "base/status.h"

namespace tandem::store {

/// One hold on an extent; ends with its last copy.
class SegmentOwner::Hold {
 public:
  using Release = void (ExtentDirectory::*)(const Extent&);
  Hold(std::shared_ptr<Memory> memory, const Extent& extent,
       Release release = &ExtentDirectory::Release)
      : memory_(std::move(memory)), extent_(extent), release_(release) {}
  ~Hold() { (memory_->directory.*release_)(extent_); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  const std::shared_ptr<Memory> memory_;
  const Extent extent_;
  const Release release_;
};

absl::Status SegmentOwner::Open(uint64_t size) {
  auto memory = std::make_shared<Memory>();
  ASSIGN_OR_RETURN(memory->region, transfer::MemoryRegion::Create(size));
  memory_ = std::move(memory);
  ASSIGN_OR_RETURN(server_, transfer::SharedMemoryServer::Start(memory_->region, *this));
  return absl::OkStatus();
}

absl::StatusOr<std::span<std::byte>> SegmentOwner::Bytes(const Extent& extent) const {
  if (memory_ == nullptr) return absl::NotFoundError("this process has no segment");
  const std::span<std::byte> bytes = memory_->region->bytes();
  if (extent.offset > bytes.size() || extent.length > bytes.size() - extent.offset) {
    return absl::OutOfRangeError(fmt::format("bytes {} to {} are outside the segment of {}",
                                             extent.offset, extent.offset + extent.length,
                                             bytes.size()));
  }
  return bytes.subspan(extent.offset, extent.length);
}

absl::StatusOr<transfer::ReadableBytes> SegmentOwner::OpenForRead(const Extent& extent) {
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, Bytes(extent));
  RETURN_IF_ERROR(CheckServes());
  RETURN_IF_ERROR(memory_->directory.HoldForRead(extent));
  return transfer::ReadableBytes{bytes, std::make_shared<const Hold>(memory_, extent)};
}

absl::StatusOr<transfer::ReadableBytes> SegmentOwner::OpenForStore(const Extent& extent) {
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, Bytes(extent));
  RETURN_IF_ERROR(memory_->directory.HoldForStore(extent));
  return transfer::ReadableBytes{
      bytes, std::make_shared<const Hold>(memory_, extent, &ExtentDirectory::ReleaseStore)};
}

absl::StatusOr<SegmentOwner::DiskReader> SegmentOwner::OpenOnDisk(const Extent& extent) {
  if (disk_ == nullptr) return ExtentHost::OpenOnDisk(extent);
  RETURN_IF_ERROR(CheckServes());
  return disk_->OpenForRead(extent);
}

absl::Status SegmentOwner::CheckServes() const {
  if (Clock::Real().Now() <= serves_until_.load(std::memory_order_relaxed)) {
    return absl::OkStatus();
  }
  return absl::UnavailableError("the owner has been out of the master's reach for too long");
}

absl::StatusOr<transfer::WritableBytes> SegmentOwner::OpenForWrite(const Extent& extent) {
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, Bytes(extent));
  RETURN_IF_ERROR(memory_->directory.HoldForWrite(extent));
  return transfer::WritableBytes{bytes, std::make_shared<const Hold>(memory_, extent)};
}

void SegmentOwner::Arrived(const Extent& extent, uint64_t position, uint64_t length) {
  const auto bytes = Bytes(extent);
  if (!bytes.ok()) return;
  const auto checksum = memory_->directory.Arriving(extent, *bytes);
  if (checksum != nullptr) checksum->Add(position, length);
}

absl::Status SegmentOwner::Publish(const HeldObject& object) {
  ASSIGN_OR_RETURN(const transfer::WritableBytes written, OpenForWrite(object.extent));
  const auto arrived = memory_->directory.Arriving(object.extent, written.bytes);
  std::optional<uint64_t> checksum;
  if (arrived != nullptr) checksum = arrived->Digest(object.size);
  // A piece may have come twice, say.
  if (!checksum.has_value()) checksum = Checksum64(written.bytes.first(object.size));
  if (*checksum != object.checksum) {
    return absl::DataLossError("the bytes that arrived do not have the object's checksum");
  }
  return memory_->directory.Publish(object);
}

absl::Status SegmentOwner::PublishChecked(const HeldObject& object) {
  if (memory_ == nullptr) return absl::NotFoundError("this process has no segment");
  return memory_->directory.Publish(object);
}

absl::Status SegmentOwner::CheckGrant(const Extent& extent, Access access,
                                      const ExtentGrant& grant) {
  return grant_key_.Check({extent.offset, extent.length, extent.generation, access}, grant,
                          GrantClockNow());
}

void SegmentOwner::Forget(const Extent& extent) {
  if (memory_ != nullptr) memory_->directory.Forget(extent);
}

std::vector<uint64_t> SegmentOwner::Held() const {
  return memory_ == nullptr ? std::vector<uint64_t>() : memory_->directory.Held();
}

bool SegmentOwner::IsPublished(const Extent& extent) const {
  return memory_ != nullptr && memory_->directory.IsPublished(extent);
}

std::vector<HeldObject> SegmentOwner::Published() const {
  return memory_ == nullptr ? std::vector<HeldObject>() : memory_->directory.Published();
}

}  // namespace tandem::store
