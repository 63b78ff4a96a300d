#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

/// SHA-256 (FIPS 180-4) of `bytes`.
std::array<uint8_t, 32> Sha256(std::span<const std::byte> bytes);
std::array<uint8_t, 32> Sha256(std::string_view bytes);

/// XXH3-64 of `bytes`: the checksum of stored objects. Not for secrets.
uint64_t Checksum64(std::span<const std::byte> bytes);

/// XXH3-64 over bytes that arrive in parts; equals Checksum64 of their concatenation.
class StreamingChecksum {
 public:
  StreamingChecksum();
  ~StreamingChecksum();
  StreamingChecksum(const StreamingChecksum&) = delete;
  StreamingChecksum& operator=(const StreamingChecksum&) = delete;

  void Update(std::span<const std::byte> bytes);
  uint64_t Digest() const;

 private:
  void* state_;
};

/// Lower-case hexadecimal, two digits a byte.
std::string ToHex(std::span<const uint8_t> bytes);

}  // namespace tandem
