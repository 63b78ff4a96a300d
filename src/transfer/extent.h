#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tandem::transfer {

/// A contiguous range of an owner's segment in one of its uses. Generations rise with every
/// allocation, so that a late reader or writer is told apart from the range's current user.
struct Extent {
  uint64_t offset = 0;  ///< Bytes from the start of the segment.
  uint64_t length = 0;
  uint64_t generation = 0;

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Bytes together with what keeps them valid: whoever moves them holds `hold` until the move has
/// truly ended, however long after somebody stopped waiting for it.
template <typename Byte>
struct HeldBytes {
  std::span<Byte> bytes;
  std::shared_ptr<const void> hold;
};
using ReadableBytes = HeldBytes<const std::byte>;
using WritableBytes = HeldBytes<std::byte>;

/// Of the keys of objects.
inline constexpr size_t kMaxKeyBytes = 1 << 10;

/// A whole object in an extent, as its owner remembers it.
struct HeldObject {
  std::string key;
  Extent extent;
  uint64_t size = 0;
  uint64_t checksum = 0;
  bool soft_pin = false;
  bool hard_pin = false;
};

}  // namespace tandem::transfer
