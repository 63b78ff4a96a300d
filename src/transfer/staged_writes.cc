#include "transfer/staged_writes.h"

#include "base/checksummed_copy.h"
#include "base/status.h"

namespace tandem::transfer {
namespace {

// A writer sends one object after the other.
constexpr size_t kMaxWriting = 64;

}  // namespace

absl::Status StagedWrites::Open(const ScopedFd& memory) {
  ASSIGN_OR_RETURN(staging_, MappedRegion::Map(memory, kStagingBytes));
  return absl::OkStatus();
}

std::vector<PieceResult> StagedWrites::Write(const std::vector<StagedPiece>& pieces) {
  std::vector<PieceResult> results;
  for (const StagedPiece& piece : pieces) {
    const absl::StatusOr<uint64_t> checksum = Copy(piece);
    if (checksum.ok()) {
      results.push_back({absl::StatusCode::kOk, *checksum});
    } else {
      writing_.erase(piece.extent.generation);
      results.push_back({checksum.status().code()});
    }
  }
  return results;
}

absl::StatusOr<uint64_t> StagedWrites::Copy(const StagedPiece& piece) {
  if (staging_ == nullptr) return absl::FailedPreconditionError("nothing is staged");
  auto found = writing_.find(piece.extent.generation);
  if (piece.position == 0 && found == writing_.end()) {
    if (writing_.size() == kMaxWriting) {
      return absl::ResourceExhaustedError("too many objects are being written at once");
    }
    auto writing = std::make_unique<Writing>();
    ASSIGN_OR_RETURN(writing->target, host_.OpenForWrite(piece.extent));
    found = writing_.emplace(piece.extent.generation, std::move(writing)).first;
  }
  if (found == writing_.end() || found->second->position != piece.position) {
    return absl::FailedPreconditionError("a piece that does not follow on the one before");
  }
  Writing& writing = *found->second;
  // The first piece said how long the extent is; another generation may not stand in for it.
  if (piece.position + piece.length > writing.target.bytes.size()) {
    return absl::OutOfRangeError("a piece beyond its extent");
  }
  CopyWithChecksum(writing.target.bytes.subspan(piece.position),
                   staging_->bytes().subspan(piece.staged_at, piece.length), writing.checksum);
  writing.position += piece.length;
  if (!piece.last) return 0;
  const uint64_t checksum = writing.checksum.Digest();
  RETURN_IF_ERROR(host_.PublishChecked(
      {piece.key, piece.extent, writing.position, checksum, piece.soft_pin, piece.hard_pin}));
  writing_.erase(found);
  return checksum;
}

}  // namespace tandem::transfer
