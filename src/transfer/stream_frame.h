#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "transfer/message.h"

namespace tandem::transfer {

// How messages follow on each other in a stream of bytes: a header, the number of bytes of the
// body, and the body. A requester's first bytes are a hello with its token, which a reply with the
// id 0 answers.

inline constexpr size_t kHelloBytes = 16;
inline constexpr size_t kMaxTokenBytes = 4096;
inline constexpr size_t kRequestFrameBytes = kRequestHeaderBytes + sizeof(uint64_t);
inline constexpr size_t kReplyFrameBytes = kReplyHeaderBytes + sizeof(uint64_t);

struct RequestFrame {
  RequestHeader header;
  uint64_t body_bytes = 0;  ///< At most kMaxMessageBytes, and what requests of that kind have.
};
struct ReplyFrame {
  ReplyHeader header;
  uint64_t body_bytes = 0;  ///< At most kMaxMessageBytes.
};

/// The hello, with the token behind it.
std::string PackHello(const std::string& token);
std::string PackFrame(const RequestFrame& frame);
std::string PackFrame(const ReplyFrame& frame);

/// From kHelloBytes: the length of the token that follows. InvalidArgument, saying what is wrong,
/// for what Pack... does not make.
absl::StatusOr<size_t> UnpackHello(std::span<const std::byte> bytes);
absl::StatusOr<RequestFrame> UnpackRequestFrame(std::span<const std::byte> bytes);
absl::StatusOr<ReplyFrame> UnpackReplyFrame(std::span<const std::byte> bytes);

}  // namespace tandem::transfer
