#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// A writer's memory that the owner of a segment on the same host copies from, in a ring.
inline constexpr uint64_t kStagingBytes = 2 << 20;
/// The most bytes that one packet has the owner copy: others wait no longer than that takes.
inline constexpr uint64_t kMaxStagedBytes = 512 << 10;
inline constexpr size_t kMaxWritePacketBytes = 32 << 10;

/// Bytes of an object that lie in the staging memory, for the owner to copy into an extent. The
/// pieces of an object come in order; the last one has it published.
struct StagedPiece {
  Extent extent;
  uint64_t staged_at = 0;  ///< Bytes from the start of the staging memory.
  uint64_t position = 0;   ///< Of the piece in the object.
  uint64_t length = 0;
  bool last = false;
  bool soft_pin = false;
  bool hard_pin = false;
  std::string key;  ///< With the last piece; the object ends where it does.
};

/// What became of a piece: the checksum of the object with its last one.
struct PieceResult {
  absl::StatusCode code = absl::StatusCode::kOk;
  uint64_t checksum = 0;
};

/// Pieces as one packet, after its kind; both ends run on one machine, so values stand as they do
/// in memory.
class WritePacket {
 public:
  /// False if it would exceed one of the limits above; an empty packet takes any valid piece.
  bool Add(const StagedPiece& piece);
  bool empty() const { return count_ == 0; }
  /// How many bytes it has copied.
  uint64_t staged() const { return staged_; }
  std::span<const std::byte> bytes();
  void Clear() { *this = WritePacket(); }

 private:
  uint64_t count_ = 0, staged_ = 0;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(sizeof(uint32_t));
};

/// InvalidArgument for what WritePacket does not make: pieces outside their extents or the staging
/// memory, lengths of 0, limits exceeded, a last piece without a key.
absl::StatusOr<std::vector<StagedPiece>> UnpackWrite(std::span<const std::byte> packet);

/// Results in the order of the pieces.
std::vector<std::byte> PackResults(std::span<const PieceResult> results);
absl::StatusOr<std::vector<PieceResult>> UnpackResults(std::span<const std::byte> packet);

}  // namespace tandem::transfer
