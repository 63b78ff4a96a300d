#include "store/master/extent_allocator.h"

#include <iterator>

namespace tandem::store {
namespace {

constexpr uint64_t kUnit = 64;
constexpr uint64_t kPage = 4096;

uint64_t RoundUp(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

ExtentAllocator::ExtentAllocator(uint64_t size) : size_(size / kUnit * kUnit) {
  if (size_ > 0) AddFree(0, size_);
}

std::optional<uint64_t> ExtentAllocator::Allocate(uint64_t length) {
  if (length == 0 || length > size_) return std::nullopt;
  length = RoundUp(length, kUnit);
  const std::optional<uint64_t> offset = FindFree(length);
  if (!offset) return std::nullopt;
  const auto free = std::prev(by_offset_.upper_bound(*offset));
  TakeFrom(free->first, free->second, *offset, length);
  return offset;
}

std::optional<uint64_t> ExtentAllocator::FindFree(uint64_t length) const {
  const auto tightest = by_length_.lower_bound({length, 0});
  if (tightest == by_length_.end()) return std::nullopt;
  if (length < kPage) return tightest->second;

  const auto fits_at_page = [length](const std::pair<uint64_t, uint64_t>& free) {
    return RoundUp(free.second, kPage) + length <= free.second + free.first;
  };
  if (fits_at_page(*tightest)) return RoundUp(tightest->second, kPage);
  const auto roomy = by_length_.lower_bound({length + kPage - kUnit, 0});
  return roomy != by_length_.end() ? RoundUp(roomy->second, kPage) : tightest->second;
}

bool ExtentAllocator::AllocateAt(uint64_t offset, uint64_t length) {
  if (length == 0 || offset % kUnit != 0 || offset > size_ || length > size_ - offset) return false;
  length = RoundUp(length, kUnit);
  auto free = by_offset_.upper_bound(offset);
  if (free == by_offset_.begin()) return false;
  --free;
  const auto [free_offset, free_length] = *free;
  if (free_offset + free_length < offset + length) return false;
  TakeFrom(free_offset, free_length, offset, length);
  return true;
}

void ExtentAllocator::TakeFrom(uint64_t free_offset, uint64_t free_length, uint64_t offset,
                               uint64_t length) {
  RemoveFree(free_offset, free_length);
  const uint64_t end = offset + length;
  const uint64_t free_end = free_offset + free_length;
  if (free_offset < offset) AddFree(free_offset, offset - free_offset);
  if (end < free_end) AddFree(end, free_end - end);
  used_ += length;
}

void ExtentAllocator::Free(uint64_t offset, uint64_t length) {
  length = RoundUp(length, kUnit);
  used_ -= length;
  const auto next = by_offset_.lower_bound(offset);
  uint64_t start = offset;
  uint64_t end = offset + length;
  uint64_t before = 0, after = 0;
  if (next != by_offset_.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == offset) before = previous->second;
  }
  if (next != by_offset_.end() && next->first == end) after = next->second;
  if (before > 0) RemoveFree(start -= before, before);
  if (after > 0) RemoveFree(end, after);
  AddFree(start, end + after - start);
}

void ExtentAllocator::AddFree(uint64_t offset, uint64_t length) {
  by_offset_.emplace(offset, length);
  by_length_.emplace(length, offset);
}

void ExtentAllocator::RemoveFree(uint64_t offset, uint64_t length) {
  by_offset_.erase(offset);
  by_length_.erase({length, offset});
}

}  // namespace tandem::store
