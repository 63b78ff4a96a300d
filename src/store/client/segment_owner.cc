#include "store/client/segment_owner.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/status.h"

namespace tandem::store {

/// One hold on an extent; ends with its last copy.
class SegmentOwner::Hold {
 public:
  Hold(std::shared_ptr<Memory> memory, const Extent& extent)
      : memory_(std::move(memory)), extent_(extent) {}
  ~Hold() { memory_->directory.Release(extent_); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  const std::shared_ptr<Memory> memory_;
  const Extent extent_;
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
  RETURN_IF_ERROR(memory_->directory.HoldForRead(extent));
  return transfer::ReadableBytes{bytes, std::make_shared<const Hold>(memory_, extent)};
}

absl::StatusOr<transfer::WritableBytes> SegmentOwner::OpenForWrite(const Extent& extent) {
  ASSIGN_OR_RETURN(const std::span<std::byte> bytes, Bytes(extent));
  RETURN_IF_ERROR(memory_->directory.HoldForWrite(extent));
  return transfer::WritableBytes{bytes, std::make_shared<const Hold>(memory_, extent)};
}

absl::Status SegmentOwner::Publish(const HeldObject& object) {
  ASSIGN_OR_RETURN(const transfer::WritableBytes written, OpenForWrite(object.extent));
  if (Checksum64(written.bytes.first(object.size)) != object.checksum) {
    return absl::DataLossError("the bytes that arrived do not have the object's checksum");
  }
  return memory_->directory.Publish(object);
}

absl::Status SegmentOwner::PublishOwn(const HeldObject& object) {
  return memory_->directory.Publish(object);
}

void SegmentOwner::Forget(const Extent& extent) {
  if (memory_ != nullptr) memory_->directory.Forget(extent);
}

std::vector<HeldObject> SegmentOwner::Published() const {
  return memory_ == nullptr ? std::vector<HeldObject>() : memory_->directory.Published();
}

}  // namespace tandem::store
