#include "transfer/stream_frame.h"

#include <cstring>

#include "base/status.h"
#include "transfer/put_message.h"

namespace tandem::transfer {
namespace {

constexpr uint64_t kHelloMagic = 0x0001'6f6c'6864'6e74;  // "tndhlo", version 1

std::string ToBytes(uint64_t value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

uint64_t ValueAt(std::span<const std::byte> bytes, size_t position) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + position, sizeof(value));
  return value;
}

bool IsBodyOf(const RequestHeader& header, uint64_t bytes) {
  switch (header.kind) {
    case RequestKind::kRead:
    case RequestKind::kReadFromDisk:
    case RequestKind::kForget:
      return bytes == 0;
    case RequestKind::kWrite:
      return bytes == header.length;
    case RequestKind::kPublish:
      return bytes <= kMaxObjectBytes;
    case RequestKind::kPut:
      return bytes == header.length && bytes <= kMaxPutMessageBytes;
  }
  return false;
}

}  // namespace

std::string PackHello(const std::string& token) {
  return ToBytes(kHelloMagic) + ToBytes(token.size()) + token;
}

std::string PackFrame(const RequestFrame& frame) {
  return Pack(frame.header) + ToBytes(frame.body_bytes);
}

std::string PackFrame(const ReplyFrame& frame) {
  return Pack(frame.header) + ToBytes(frame.body_bytes);
}

absl::StatusOr<size_t> UnpackHello(std::span<const std::byte> bytes) {
  if (bytes.size() != kHelloBytes || ValueAt(bytes, 0) != kHelloMagic) {
    return absl::InvalidArgumentError("not a hello of this version");
  }
  const uint64_t length = ValueAt(bytes, sizeof(uint64_t));
  if (length > kMaxTokenBytes) return absl::InvalidArgumentError("a hello whose token is too long");
  return static_cast<size_t>(length);
}

absl::StatusOr<RequestFrame> UnpackRequestFrame(std::span<const std::byte> bytes) {
  if (bytes.size() != kRequestFrameBytes) {
    return absl::InvalidArgumentError("not a request of this version");
  }
  RequestFrame frame;
  ASSIGN_OR_RETURN(frame.header, UnpackRequest(bytes.first(kRequestHeaderBytes)));
  frame.body_bytes = ValueAt(bytes, kRequestHeaderBytes);
  if (!IsBodyOf(frame.header, frame.body_bytes)) {
    return absl::InvalidArgumentError("a request with a body of another length than its kind has");
  }
  return frame;
}

absl::StatusOr<ReplyFrame> UnpackReplyFrame(std::span<const std::byte> bytes) {
  if (bytes.size() != kReplyFrameBytes) {
    return absl::InvalidArgumentError("not a reply of this version");
  }
  ReplyFrame frame;
  ASSIGN_OR_RETURN(frame.header, UnpackReply(bytes.first(kReplyHeaderBytes)));
  frame.body_bytes = ValueAt(bytes, kReplyHeaderBytes);
  if (frame.body_bytes > kMaxMessageBytes) {
    return absl::InvalidArgumentError("a reply with a body that is too long");
  }
  return frame;
}

}  // namespace tandem::transfer
