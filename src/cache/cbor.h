#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::cache {

/// Appends items in canonical CBOR (RFC 8949, section 4.2: every length in its shortest form).
class CborWriter {
 public:
  void Unsigned(uint64_t value) { Head(0, value); }
  /// Negative values are written as RFC 8949 has them: major type 1, minus one minus the value.
  void Integer(int64_t value);
  void Text(std::string_view text);
  /// Opens an array; its `size` items follow.
  void Array(uint64_t size) { Head(4, size); }

  const std::string& bytes() const { return bytes_; }

 private:
  void Head(uint8_t major_type, uint64_t argument);

  std::string bytes_;
};

}  // namespace tandem::cache
