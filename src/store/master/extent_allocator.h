#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

namespace tandem::store {

/// Hands out ranges of a segment by best fit; neighbouring free ranges are joined. Every call costs
/// O(log n) in the number of free ranges. Offsets are multiples of 64 bytes; ranges of a page or
/// more start at a page (4 KiB) where the free memory allows it without being searched through. Not
/// synchronised.
class ExtentAllocator {
 public:
  explicit ExtentAllocator(uint64_t size);

  /// Takes a range of at least `length` > 0 bytes; its offset, or nothing if no free range is that
  /// long.
  std::optional<uint64_t> Allocate(uint64_t length);

  /// Takes exactly this range. False if `offset` is not a multiple of 64 or a part of it is taken
  /// or lies outside.
  bool AllocateAt(uint64_t offset, uint64_t length);

  /// Gives back a range that one of the calls above took, with the length it was asked for.
  void Free(uint64_t offset, uint64_t length);

  uint64_t size() const { return size_; }
  /// Bytes taken, each range rounded up to a multiple of 64.
  uint64_t used() const { return used_; }
  /// The longest range that can be taken.
  uint64_t largest_free() const { return by_length_.empty() ? 0 : by_length_.rbegin()->first; }

 private:
  std::optional<uint64_t> FindFree(uint64_t length) const;
  void AddFree(uint64_t offset, uint64_t length);
  void RemoveFree(uint64_t offset, uint64_t length);
  void TakeFrom(uint64_t free_offset, uint64_t free_length, uint64_t offset, uint64_t length);

  const uint64_t size_;
  uint64_t used_ = 0;
  absl::btree_map<uint64_t, uint64_t> by_offset_;             // offset -> length
  absl::btree_set<std::pair<uint64_t, uint64_t>> by_length_;  // (length, offset)
};

}  // namespace tandem::store
