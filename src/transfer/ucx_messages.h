#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace tandem::transfer {

/// Ids of the active messages.
inline constexpr unsigned kRequestMessage = 1;
inline constexpr unsigned kReplyMessage = 2;

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::span<const std::byte> BytesOf(const void* data, size_t length) {
  return {static_cast<const std::byte*>(data), length};
}

}  // namespace tandem::transfer
