#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "base/extent_grant.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// What the owner of a segment lets its peers do. Called by the threads of servers; must be safe
/// for use by several threads and must not block.
class ExtentHost {
 public:
  virtual ~ExtentHost() = default;

  /// The bytes of an object, unchanged as long as the result is held. NotFound if the owner does
  /// not hold an object there in that generation.
  virtual absl::StatusOr<ReadableBytes> OpenForRead(const Extent& extent) = 0;

  /// Fills `destination` with the bytes of one object on disk from `position` on, without blocking;
  /// `done` is called once, on any thread, maybe before this returns. DataLoss if the disk does not
  /// give them.
  using DiskReader = std::function<void(uint64_t position, WritableBytes destination,
                                        std::function<void(absl::Status)> done)>;
  /// The way to the copy on disk of what was written to an extent in that generation. NotFound if
  /// there is none, as where there is no disk.
  virtual absl::StatusOr<DiskReader> OpenOnDisk(const Extent&) {
    return absl::NotFoundError("this owner has nothing on disk");
  }

  /// Room to write. FailedPrecondition if the range belongs to a newer generation or to a published
  /// object; Unavailable while somebody still holds an older one; OutOfRange outside the segment.
  virtual absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) = 0;

  /// That many bytes of an extent, which is open for writing meanwhile, have just arrived: they
  /// are likely to be in the caches of the calling thread.
  virtual void Arrived(const Extent&, uint64_t /*position*/, uint64_t /*length*/) {}

  /// Takes a written object into the owner's directory. DataLoss if its bytes do not have the
  /// checksum; FailedPrecondition if the extent is not being written in that generation.
  virtual absl::Status Publish(const HeldObject& object) = 0;

  /// As Publish, for bytes whose checksum the caller made while it copied them there.
  virtual absl::Status PublishChecked(const HeldObject& object) = 0;

  /// Whether the master granted this extent to who shows `grant`: PermissionDenied, saying why not.
  /// For servers of peers on the network; processes of this host and user are trusted.
  virtual absl::Status CheckGrant(const Extent& extent, Access access,
                                  const ExtentGrant& grant) = 0;

  /// Drops what was published or written there in that generation; unknown extents are ignored.
  virtual void Forget(const Extent& extent) = 0;
};

}  // namespace tandem::transfer
