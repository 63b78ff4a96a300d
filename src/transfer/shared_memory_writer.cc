#include "transfer/shared_memory_writer.h"

#include <algorithm>

#include "base/status.h"
#include "transfer/shared_memory_messages.h"
#include "transfer/unix_socket.h"

namespace tandem::transfer {
namespace {

// More bytes than these are staged in pieces of twice the length.
constexpr uint64_t kManyPieces = 2 << 20;
// The owner copies so many within microseconds; for longer it needs the processor itself.
constexpr uint64_t kPromptBytes = 256 << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<SharedMemoryWriter>> SharedMemoryWriter::Connect(
    const std::string& socket_name, TimePoint deadline) {
  ASSIGN_OR_RETURN(ScopedFd socket, ConnectToUnixSocket(socket_name, deadline));
  if (!PeerIsSameUser(socket)) {
    return absl::PermissionDeniedError("the owner of the segment runs under another user");
  }
  SharedMemoryHello hello;
  ASSIGN_OR_RETURN(const size_t length,
                   ReceivePacket(socket, std::as_writable_bytes(std::span(&hello, 1)), deadline));
  if (length != sizeof(hello) || hello.magic != kSharedMemoryMagic) {
    return absl::InvalidArgumentError("what listens there is not the owner of a segment");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<MemoryRegion> staging, MemoryRegion::Create(kStagingBytes));
  const uint32_t kind = PinRequest::kStage;
  RETURN_IF_ERROR(SendPacket(socket, std::as_bytes(std::span(&kind, 1)), staging->fd()));
  return std::unique_ptr<SharedMemoryWriter>(
      new SharedMemoryWriter(std::move(socket), std::move(staging)));
}

std::vector<absl::StatusOr<uint64_t>> SharedMemoryWriter::Write(std::span<const StagedWrite> writes,
                                                                TimePoint deadline,
                                                                Duration silence,
                                                                bool beside_others) {
  uint64_t bytes = 0;
  for (const StagedWrite& write : writes) bytes += write.object.size;
  // The owner starts with the first piece, and a thread is woken for each.
  const uint64_t piece = bytes > kManyPieces ? kMaxStagedBytes : kMaxStagedBytes / 2;
  Batch batch{.deadline = deadline,
              .silence = silence,
              .piece = piece,
              .ring = beside_others ? 2 * piece : kStagingBytes,
              .results = std::vector<absl::StatusOr<uint64_t>>(writes.size(), 0),
              .packet = {},
              .outstanding = {}};
  absl::Status status =
      broken_ ? absl::UnavailableError("the connection to a segment's owner is broken")
              : absl::OkStatus();
  for (size_t i = 0; status.ok() && i < writes.size(); ++i) status = Stage(writes[i], i, batch);
  if (status.ok()) status = Send(batch);
  while (status.ok() && !batch.outstanding.empty()) status = TakeResults(batch);
  if (!status.ok()) batch.results.assign(writes.size(), status);
  // What the owner still answers would be taken for answers to later writes.
  broken_ = broken_ || !status.ok();
  return std::move(batch.results);
}

absl::Status SharedMemoryWriter::Stage(const StagedWrite& write, size_t index, Batch& batch) {
  const HeldObject& object = write.object;
  StagedPiece piece{.extent = object.extent};
  size_t part = 0, taken = 0;  // of that part
  while (piece.position < object.size) {
    piece.length = std::min(batch.piece, object.size - piece.position);
    ASSIGN_OR_RETURN(const std::span<std::byte> room, TakeRoom(piece.length, batch));
    piece.staged_at = static_cast<uint64_t>(room.data() - staging_->bytes().data());
    for (size_t filled = 0; filled < room.size();) {
      const std::span<const std::byte> rest = write.parts[part].subspan(taken);
      const size_t size = std::min(rest.size(), room.size() - filled);
      std::copy_n(rest.data(), size, room.data() + filled);
      filled += size;
      taken += size;
      if (size < rest.size()) continue;
      ++part;
      taken = 0;
    }
    piece.last = piece.position + piece.length == object.size;
    if (piece.last) {
      piece.soft_pin = object.soft_pin;
      piece.hard_pin = object.hard_pin;
      piece.key = object.key;
    }
    if (!batch.packet.Add(piece)) {
      RETURN_IF_ERROR(Send(batch));
      batch.packet.Add(piece);
    }
    batch.outstanding.push_back({index, batch.staged});
    if (batch.packet.staged() >= batch.piece) RETURN_IF_ERROR(Send(batch));
    piece.position += piece.length;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<std::byte>> SharedMemoryWriter::TakeRoom(uint64_t length, Batch& batch) {
  // Pieces lie in one: what is left at the ring's end is passed over.
  const uint64_t start = batch.staged % batch.ring;
  const uint64_t skipped = start + length > batch.ring ? batch.ring - start : 0;
  while (batch.staged + skipped + length - batch.freed > batch.ring) {
    RETURN_IF_ERROR(Send(batch));
    RETURN_IF_ERROR(TakeResults(batch));
  }
  batch.staged += skipped + length;
  return staging_->bytes().subspan((batch.staged - length) % batch.ring, length);
}

absl::Status SharedMemoryWriter::Send(Batch& batch) {
  if (batch.packet.empty()) return absl::OkStatus();
  absl::Status sent = SendPacket(socket_, batch.packet.bytes());
  while (absl::IsResourceExhausted(sent)) {
    RETURN_IF_ERROR(TakeResults(batch));
    sent = SendPacket(socket_, batch.packet.bytes());
  }
  batch.packet.Clear();
  return sent;
}

absl::Status SharedMemoryWriter::TakeResults(Batch& batch) {
  std::vector<std::byte> buffer(kMaxWritePacketBytes);
  const TimePoint give_up = std::min(batch.deadline, Clock::Real().Now() + batch.silence);
  if (batch.staged <= kPromptBytes) AwaitPromptPacket(socket_, give_up);
  ASSIGN_OR_RETURN(const size_t length, ReceivePacket(socket_, buffer, give_up));
  ASSIGN_OR_RETURN(const std::vector<PieceResult> results,
                   UnpackResults(std::span(buffer).first(length)));
  for (const PieceResult& result : results) {
    if (batch.outstanding.empty()) {
      return absl::UnavailableError("a segment's owner answered what it was not asked");
    }
    const Outstanding answered = batch.outstanding.front();
    batch.outstanding.pop_front();
    batch.freed = answered.end;
    absl::StatusOr<uint64_t>& object = batch.results[answered.write];
    if (result.code != absl::StatusCode::kOk) {
      // Of several failures the first says why.
      if (object.ok()) object = absl::Status(result.code, "the segment's owner refused the write");
    } else if (object.ok()) {
      object = result.checksum;
    }
  }
  return absl::OkStatus();
}

}  // namespace tandem::transfer
