#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tandem::model {

/// Reads little-endian fields from bytes of a file one after another and never past their end.
/// Errors name the field, its offset and what was expected there.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

  template <typename T>
  absl::StatusOr<T> Read(std::string_view field) {
    if (remaining() < sizeof(T)) return Truncated(field, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  /// The next `size` bytes, which belong to the file.
  absl::StatusOr<std::span<const std::byte>> ReadBytes(uint64_t size, std::string_view field);

  /// A length of 8 bytes and as many characters.
  absl::StatusOr<std::string_view> ReadString(std::string_view field);

  /// A count of 8 bytes of things that take at least `least_bytes_each` each: one that the rest of
  /// the file cannot hold is an error.
  absl::StatusOr<uint64_t> ReadCount(size_t least_bytes_each, std::string_view field);

  /// InvalidArgument "<field> at offset <offset>: <problem>".
  static absl::Status Invalid(std::string_view field, size_t offset, std::string_view problem);

 private:
  absl::Status Truncated(std::string_view field, uint64_t size) const;

  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace tandem::model
