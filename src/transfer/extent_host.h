#pragma once

#include "absl/status/statusor.h"
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

  /// Room to write. FailedPrecondition if the range belongs to a newer generation or to a published
  /// object; Unavailable while somebody still holds an older one; OutOfRange outside the segment.
  virtual absl::StatusOr<WritableBytes> OpenForWrite(const Extent& extent) = 0;

  /// Takes a written object into the owner's directory. DataLoss if its bytes do not have the
  /// checksum; FailedPrecondition if the extent is not being written in that generation.
  virtual absl::Status Publish(const HeldObject& object) = 0;

  /// Drops what was published or written there in that generation; unknown extents are ignored.
  virtual void Forget(const Extent& extent) = 0;
};

}  // namespace tandem::transfer
