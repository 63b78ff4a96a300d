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
/// Bytes of objects that one message carries. With half as many they overlap more, and are no
/// faster.
inline constexpr uint64_t kMaxPutTogether = 128 << 10;
inline constexpr size_t kMaxPutObjects = 64;

/// Writes a whole object of at most kMaxPutBytes to an extent and has the owner publish it there.
struct PutOperation {
  const HeldObject* object;  ///< Its own extent does not count. Outlives the call that takes it.
  Extent extent;
  ReadableBytes bytes;
  ExtentGrant grant{};
};

/// What an owner receives of it.
struct ReceivedPut {
  HeldObject object;
  std::span<const std::byte> bytes;
  ExtentGrant grant{};
};

/// The body of a kPut: the number of objects, for each of them fixed little-endian fields and its
/// key, and then the bytes of all.
class PutMessage {
 public:
  /// Takes an object and holds its bytes, as many as its size says. False if they would exceed a
  /// limit above; an empty message takes every object of at most kMaxPutBytes.
  bool Add(const PutOperation& put);
  size_t objects() const { return bytes_.size(); }
  /// What stands before the bytes.
  std::span<const std::byte> description() const { return std::as_bytes(std::span(description_)); }
  const std::vector<ReadableBytes>& bytes() const { return bytes_; }
  uint64_t size() const { return description_.size() + together_; }

 private:
  std::string description_;
  std::vector<ReadableBytes> bytes_;
  uint64_t together_ = 0;
};

inline constexpr size_t kPutFieldsBytes = 72;
inline constexpr uint64_t kMaxPutMessageBytes =
    sizeof(uint64_t) + kMaxPutTogether + kMaxPutObjects * (kPutFieldsBytes + kMaxKeyBytes);

/// The objects of such a body, whose bytes stay there. InvalidArgument, saying
/// what is wrong, for what PutMessage does not make.
absl::StatusOr<std::vector<ReceivedPut>> UnpackPuts(std::span<const std::byte> body);

/// The owner's answer: a status code for each object, a byte each. InvalidArgument for others.
std::vector<std::byte> PackAnswers(std::span<const absl::StatusCode> codes);
absl::StatusOr<absl::StatusCode> UnpackAnswer(std::byte answer);

}  // namespace tandem::transfer
