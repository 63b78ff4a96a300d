#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/extent_grant.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// The most bytes one message carries. Longer ones were measured to be slower over TCP.
inline constexpr uint64_t kMaxMessageBytes = 1 << 20;

enum class RequestKind : uint32_t {
  kRead = 1,
  kWrite = 2,
  kPublish = 3,
  kForget = 4,
  kPut = 5,
  kReadFromDisk = 6,
};

/// What a request is about: `length` bytes of `extent` from `position` on. The bytes of a write
/// follow as the message's data, the object of a publish as PackObject made it, and the objects of
/// a put as a PutMessage, of whose length all it is about says.
struct RequestHeader {
  RequestKind kind = RequestKind::kRead;
  uint64_t id = 0;  ///< Chosen by the requester; the reply carries it.
  Extent extent;
  uint64_t position = 0;
  uint64_t length = 0;
  ExtentGrant grant{};
};

/// The answer to a request: the bytes of a read follow, the answers to a put, or an error's text.
struct ReplyHeader {
  uint64_t id = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
};

// Headers travel as fixed little-endian fields behind a magic number with the protocol's version.
inline constexpr size_t kRequestHeaderBytes = 88;
inline constexpr size_t kReplyHeaderBytes = 24;
std::string Pack(const RequestHeader& header);
std::string Pack(const ReplyHeader& header);
/// The object without its extent, which the header has: at most kMaxObjectBytes.
inline constexpr size_t kMaxObjectBytes = 24 + kMaxKeyBytes;
std::string PackObject(const HeldObject& object);

/// InvalidArgument, saying what is wrong, for bytes that Pack does not make.
absl::StatusOr<RequestHeader> UnpackRequest(std::span<const std::byte> bytes);
absl::StatusOr<ReplyHeader> UnpackReply(std::span<const std::byte> bytes);
absl::StatusOr<HeldObject> UnpackObject(const Extent& extent, std::span<const std::byte> bytes);

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::span<const std::byte> BytesOf(const void* data, size_t length) {
  return {static_cast<const std::byte*>(data), length};
}

}  // namespace tandem::transfer
