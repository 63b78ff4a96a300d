#include "transfer/write_packet.h"

#include <cstring>

#include "transfer/shared_memory_messages.h"

namespace tandem::transfer {
namespace {

constexpr uint32_t kLast = 1, kSoftPin = 2, kHardPin = 4;

struct PieceFields {
  Extent extent;
  uint64_t staged_at;
  uint64_t position;
  uint64_t length;
  uint32_t flags;
  uint32_t key_length;
};
struct ResultFields {
  uint64_t checksum;
  int64_t code;
};

template <typename Fields>
void Append(const Fields& fields, std::vector<std::byte>& bytes) {
  const auto* first = reinterpret_cast<const std::byte*>(&fields);
  bytes.insert(bytes.end(), first, first + sizeof(fields));
}

/// Takes `fields` from the front of `bytes`; false if there are not enough.
template <typename Fields>
bool Take(std::span<const std::byte>& bytes, Fields& fields) {
  if (bytes.size() < sizeof(fields)) return false;
  std::memcpy(&fields, bytes.data(), sizeof(fields));
  bytes = bytes.subspan(sizeof(fields));
  return true;
}

bool Fits(uint64_t position, uint64_t length, uint64_t limit) {
  return position <= limit && length <= limit - position;
}

bool Valid(const PieceFields& fields) {
  const bool last = (fields.flags & kLast) != 0;
  return fields.length > 0 && fields.length <= kMaxStagedBytes &&
         Fits(fields.position, fields.length, fields.extent.length) &&
         Fits(fields.staged_at, fields.length, kStagingBytes) &&
         fields.key_length <= kMaxKeyBytes && (fields.key_length > 0) == last;
}

}  // namespace

bool WritePacket::Add(const StagedPiece& piece) {
  const size_t grown = bytes_.size() + sizeof(PieceFields) + piece.key.size();
  if (count_ > 0 && (grown > kMaxWritePacketBytes || staged_ + piece.length > kMaxStagedBytes)) {
    return false;
  }
  const uint32_t flags =
      (piece.last ? kLast : 0) | (piece.soft_pin ? kSoftPin : 0) | (piece.hard_pin ? kHardPin : 0);
  Append(PieceFields{piece.extent, piece.staged_at, piece.position, piece.length, flags,
                     static_cast<uint32_t>(piece.key.size())},
         bytes_);
  const auto* key = reinterpret_cast<const std::byte*>(piece.key.data());
  bytes_.insert(bytes_.end(), key, key + piece.key.size());
  ++count_;
  staged_ += piece.length;
  return true;
}

std::span<const std::byte> WritePacket::bytes() {
  const uint32_t kind = PinRequest::kWrite;
  std::memcpy(bytes_.data(), &kind, sizeof(kind));
  return bytes_;
}

absl::StatusOr<std::vector<StagedPiece>> UnpackWrite(std::span<const std::byte> packet) {
  const absl::Status malformed = absl::InvalidArgumentError("a write that no writer makes");
  uint32_t kind = 0;
  if (!Take(packet, kind) || kind != PinRequest::kWrite) return malformed;
  std::vector<StagedPiece> pieces;
  uint64_t staged = 0;
  while (!packet.empty()) {
    PieceFields fields;
    if (!Take(packet, fields) || !Valid(fields) || packet.size() < fields.key_length) {
      return malformed;
    }
    staged += fields.length;
    if (staged > kMaxStagedBytes) return malformed;
    pieces.push_back(
        {fields.extent, fields.staged_at, fields.position, fields.length,
         (fields.flags & kLast) != 0, (fields.flags & kSoftPin) != 0,
         (fields.flags & kHardPin) != 0,
         std::string(reinterpret_cast<const char*>(packet.data()), fields.key_length)});
    packet = packet.subspan(fields.key_length);
  }
  if (pieces.empty()) return malformed;
  return pieces;
}

std::vector<std::byte> PackResults(std::span<const PieceResult> results) {
  std::vector<std::byte> bytes;
  for (const PieceResult& result : results) {
    Append(ResultFields{result.checksum, static_cast<int64_t>(result.code)}, bytes);
  }
  return bytes;
}

absl::StatusOr<std::vector<PieceResult>> UnpackResults(std::span<const std::byte> packet) {
  std::vector<PieceResult> results;
  while (!packet.empty()) {
    ResultFields fields;
    if (!Take(packet, fields) || fields.code < 0 ||
        fields.code > static_cast<int64_t>(absl::StatusCode::kUnauthenticated)) {
      return absl::UnavailableError("a segment's owner sent nonsense");
    }
    results.push_back({static_cast<absl::StatusCode>(fields.code), fields.checksum});
  }
  return results;
}

}  // namespace tandem::transfer
