#include "model/byte_cursor.h"

#include <fmt/format.h>

#include "base/status.h"

namespace tandem::model {

absl::StatusOr<std::span<const std::byte>> ByteCursor::ReadBytes(uint64_t size,
                                                                 std::string_view field) {
  if (remaining() < size) return Truncated(field, size);
  const auto bytes = bytes_.subspan(offset_, size);
  offset_ += size;
  return bytes;
}

absl::StatusOr<std::string_view> ByteCursor::ReadString(std::string_view field) {
  ASSIGN_OR_RETURN(const uint64_t size, Read<uint64_t>(field));
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, ReadBytes(size, field));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

absl::StatusOr<uint64_t> ByteCursor::ReadCount(size_t least_bytes_each, std::string_view field) {
  const size_t start = offset_;
  ASSIGN_OR_RETURN(const uint64_t count, Read<uint64_t>(field));
  const uint64_t most = remaining() / least_bytes_each;
  if (count > most) {
    return Invalid(field, start,
                   fmt::format("is {}, but the {} bytes that follow hold at most {}", count,
                               remaining(), most));
  }
  return count;
}

absl::Status ByteCursor::Invalid(std::string_view field, size_t offset, std::string_view problem) {
  return absl::InvalidArgumentError(fmt::format("{} at offset {}: {}", field, offset, problem));
}

absl::Status ByteCursor::Truncated(std::string_view field, uint64_t size) const {
  return Invalid(field, offset_,
                 fmt::format("expected {} bytes, but the file ends after {}", size, remaining()));
}

}  // namespace tandem::model
