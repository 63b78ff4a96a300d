#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/extent_grant.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// Objects up to this size are written and published by one message, with others of their batch.
inline constexpr uint64_t kMaxPutBytes = 16 << 10;
/// Bytes of objects that one message carries: while the owner takes it in, the next is on its way.
inline constexpr uint64_t kMaxPutTogether = 64 << 10;
inline constexpr size_t kMaxPutObjects = 64;

/// Writes a whole object of at most kMaxPutBytes and has the owner publish it.
struct PutOperation {
  HeldObject object;
  std::span<const std::byte> bytes;
  ExtentGrant grant{};
};

/// The body of a kPut: for each object fixed little-endian fields, its key, and its bytes.
class PutMessage {
 public:
  /// Copies an object and its bytes, as many as its size says. False if they would exceed a limit
  /// above; an empty message takes every object of at most kMaxPutBytes.
  bool Add(const PutOperation& put);
  size_t objects() const { return objects_; }
  std::span<const std::byte> body() const { return std::as_bytes(std::span(body_)); }

 private:
  size_t objects_ = 0;
  uint64_t together_ = 0;
  std::string body_;
};

inline constexpr size_t kPutFieldsBytes = 72;
inline constexpr uint64_t kMaxPutMessageBytes =
    kMaxPutTogether + kMaxPutObjects * (kPutFieldsBytes + kMaxKeyBytes);

/// The objects of such a body, whose bytes stay there. InvalidArgument, saying what is wrong, for
/// what PutMessage does not make.
absl::StatusOr<std::vector<PutOperation>> UnpackPuts(std::span<const std::byte> body);

/// The owner's answer: a status code for each object, a byte each. InvalidArgument for others.
std::vector<std::byte> PackAnswers(std::span<const absl::StatusCode> codes);
absl::StatusOr<absl::StatusCode> UnpackAnswer(std::byte answer);

}  // namespace tandem::transfer
