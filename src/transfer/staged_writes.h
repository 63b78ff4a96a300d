#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/hash.h"
#include "base/scoped_fd.h"
#include "transfer/extent_host.h"
#include "transfer/memory_region.h"
#include "transfer/write_packet.h"

namespace tandem::transfer {

/// The objects that one writer on this host is putting into a segment: copies what it stages into
/// the extents, making the checksum on the way, and publishes them. Of one thread. What was not
/// published when this ends was never written.
class StagedWrites {
 public:
  explicit StagedWrites(ExtentHost& host) : host_(host) {}

  /// Takes the writer's staging memory. InvalidArgument unless it is sealed and long enough.
  absl::Status Open(const ScopedFd& memory);

  /// Copies the pieces, in order, and publishes the objects that end among them; what became of
  /// each. FailedPrecondition before Open and for pieces that do not follow on each other.
  std::vector<PieceResult> Write(const std::vector<StagedPiece>& pieces);

 private:
  struct Writing {
    WritableBytes target;
    StreamingChecksum checksum;
    uint64_t position = 0;
  };
  absl::StatusOr<uint64_t> Copy(const StagedPiece& piece);

  ExtentHost& host_;
  std::unique_ptr<MappedRegion> staging_;
  std::map<uint64_t, std::unique_ptr<Writing>> writing_;  // by generation
};

}  // namespace tandem::transfer
