#include "store/master/extent_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>

namespace tandem::store {
namespace {

TEST(ExtentAllocator, TakesTheTightestFreeRange) {
  ExtentAllocator allocator(1024);
  ASSERT_TRUE(allocator.AllocateAt(256, 64));  // leaves 256 before
  ASSERT_TRUE(allocator.AllocateAt(448, 64));  // leaves 128 between, 512 after
  EXPECT_EQ(allocator.Allocate(128), 320u);
  EXPECT_EQ(allocator.Allocate(200), 0u);
  EXPECT_EQ(allocator.Allocate(300), 512u);
  EXPECT_EQ(allocator.used(), 64u + 64 + 128 + 256 + 320);
}

TEST(ExtentAllocator, JoinsNeighbours) {
  ExtentAllocator allocator(3 * 64);
  ASSERT_EQ(allocator.Allocate(64), 0u);
  ASSERT_EQ(allocator.Allocate(64), 64u);
  ASSERT_EQ(allocator.Allocate(64), 128u);
  EXPECT_EQ(allocator.largest_free(), 0u);
  allocator.Free(0, 64);
  allocator.Free(128, 64);
  EXPECT_FALSE(allocator.Allocate(65));
  allocator.Free(64, 64);
  EXPECT_EQ(allocator.largest_free(), 192u);
  EXPECT_EQ(allocator.used(), 0u);
}

TEST(ExtentAllocator, StartsLargeRangesAtAPageWhereThereIsRoom) {
  ExtentAllocator allocator(64 << 10);
  ASSERT_EQ(allocator.Allocate(100), 0u);
  EXPECT_EQ(allocator.Allocate(5000), 4096u);
}

TEST(ExtentAllocator, GivesALargeRangeOffAPageRatherThanNone) {
  ExtentAllocator allocator(4096 + 128);
  ASSERT_EQ(allocator.Allocate(64), 0u);
  EXPECT_EQ(allocator.Allocate(4160), 64u);
}

TEST(ExtentAllocator, RefusesWhatDoesNotFit) {
  ExtentAllocator allocator(1000);  // 960 in units
  EXPECT_FALSE(allocator.Allocate(0));
  EXPECT_FALSE(allocator.Allocate(961));
  EXPECT_FALSE(allocator.Allocate(~uint64_t{0}));
  EXPECT_FALSE(allocator.AllocateAt(1, 64));
  EXPECT_FALSE(allocator.AllocateAt(960, 1));
  EXPECT_FALSE(allocator.AllocateAt(64, ~uint64_t{0}));
  EXPECT_TRUE(allocator.AllocateAt(0, 960));
  EXPECT_FALSE(allocator.AllocateAt(64, 64));
}

/// Runs random calls against a plain model of what is taken.
class AllocatorModel {
 public:
  explicit AllocatorModel(uint64_t seed) : random_(seed) {}

  void Step() {
    const uint64_t length = std::uniform_int_distribution<uint64_t>(1, 20'000)(random_);
    switch (std::uniform_int_distribution<int>(0, 3)(random_)) {
      case 0:
        return FreeOne();
      case 1:
        return AllocateAt(std::uniform_int_distribution<uint64_t>(0, kSize / 64)(random_) * 64,
                          length);
      default:
        return Allocate(length);
    }
  }

  void FreeAll() {
    while (!taken_.empty()) FreeOne();
    EXPECT_EQ(allocator_.used(), 0u);
    EXPECT_EQ(allocator_.largest_free(), kSize);
  }

 private:
  static constexpr uint64_t kSize = 1 << 20;
  static uint64_t RoundUp(uint64_t length) { return (length + 63) / 64 * 64; }

  bool IsFree(uint64_t offset, uint64_t length) const {
    if (offset + length > kSize) return false;
    const auto next = taken_.lower_bound(offset);
    if (next != taken_.end() && next->first < offset + RoundUp(length)) return false;
    if (next == taken_.begin()) return true;
    const auto previous = std::prev(next);
    return previous->first + RoundUp(previous->second) <= offset;
  }

  uint64_t LargestGap() const {
    uint64_t largest = 0, end = 0;
    for (const auto& [offset, length] : taken_) {
      largest = std::max(largest, offset - end);
      end = offset + RoundUp(length);
    }
    return std::max(largest, kSize - end);
  }

  void Allocate(uint64_t length) {
    const bool fits = LargestGap() >= RoundUp(length);
    const auto offset = allocator_.Allocate(length);
    ASSERT_EQ(offset.has_value(), fits) << length;
    if (!offset) return;
    ASSERT_EQ(*offset % 64, 0u);
    ASSERT_TRUE(IsFree(*offset, length));
    Take(*offset, length);
  }

  void AllocateAt(uint64_t offset, uint64_t length) {
    const bool free = IsFree(offset, length);
    ASSERT_EQ(allocator_.AllocateAt(offset, length), free);
    if (free) Take(offset, length);
  }

  void Take(uint64_t offset, uint64_t length) {
    taken_[offset] = length;
    used_ += RoundUp(length);
    ASSERT_EQ(allocator_.used(), used_);
    ASSERT_EQ(allocator_.largest_free(), LargestGap());
  }

  void FreeOne() {
    if (taken_.empty()) return;
    auto it = taken_.begin();
    std::advance(it, std::uniform_int_distribution<size_t>(0, taken_.size() - 1)(random_));
    allocator_.Free(it->first, it->second);
    used_ -= RoundUp(it->second);
    taken_.erase(it);
    ASSERT_EQ(allocator_.largest_free(), LargestGap());
  }

  std::mt19937_64 random_;
  ExtentAllocator allocator_{kSize};
  std::map<uint64_t, uint64_t> taken_;
  uint64_t used_ = 0;
};

TEST(ExtentAllocator, AgreesWithAModelOverRandomCalls) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    AllocatorModel model(seed);
    for (int step = 0; step < 1000; ++step) {
      model.Step();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", step " << step;
    }
    model.FreeAll();
  }
}

}  // namespace
}  // namespace tandem::store
