#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "store/master/extent_allocator.h"

namespace tandem::store {
namespace {

constexpr uint64_t kSize = uint64_t{256} << 20;
constexpr int kSteps = 20'000;
constexpr int kWarmUp = 5'000;

/// In which order ranges are given back.
enum class Order { kRandom, kOldestFirst };

/// A full segment to which objects come for ever: chunks of the KV cache in a few sizes, tails of
/// prompts in any. What finds no range has others given back until it does.
class FullSegment {
 public:
  FullSegment(Order order, uint64_t seed) : order_(order), random_(seed) {}

  void Run() {
    for (int step = 0; step < kSteps; ++step) {
      Put(ObjectSize(), step >= kWarmUp);
      CheckLargestFree();
      if (testing::Test::HasFailure()) return;
    }
  }

  /// The share in use when an object found no range: at least, and on average.
  double least_fill() const { return least_fill_; }
  double average_fill() const { return fills_ / refusals_; }
  int refusals() const { return refusals_; }

 private:
  uint64_t Pick(uint64_t most) { return std::uniform_int_distribution<uint64_t>(0, most)(random_); }

  uint64_t ObjectSize() {
    static constexpr uint64_t kChunks[] = {112 << 10, 448 << 10, 1 << 20, 1792 << 10};
    return Pick(4) == 0 ? 1 + Pick(1 << 20) : kChunks[Pick(3)];
  }

  void Put(uint64_t length, bool counts) {
    std::optional<uint64_t> offset = allocator_.Allocate(length);
    if (!offset && counts) {
      const double fill = double(allocator_.used()) / double(kSize);
      least_fill_ = std::min(least_fill_, fill);
      fills_ += fill;
      ++refusals_;
    }
    for (; !offset; offset = allocator_.Allocate(length)) GiveBackOne();
    taken_.emplace_back(*offset, length);
  }

  void GiveBackOne() {
    ASSERT_FALSE(taken_.empty()) << "an empty segment has no room";
    const auto it = taken_.begin() +
                    std::ptrdiff_t(order_ == Order::kOldestFirst ? 0 : Pick(taken_.size() - 1));
    allocator_.Free(it->first, it->second);
    taken_.erase(it);
  }

  /// Free ranges are joined, so that between any two lies one that is taken.
  void CheckLargestFree() const {
    const uint64_t free = kSize - allocator_.used();
    ASSERT_GE(allocator_.largest_free() * (taken_.size() + 1), free);
  }

  const Order order_;
  std::mt19937_64 random_;
  ExtentAllocator allocator_{kSize};
  std::vector<std::pair<uint64_t, uint64_t>> taken_;  ///< Offset and length, oldest first.
  double least_fill_ = 1, fills_ = 0;
  int refusals_ = 0;
};

TEST(ExtentFragmentation, LeavesLittleUnusedWhenTheOldestGoFirst) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    FullSegment segment(Order::kOldestFirst, seed);
    segment.Run();
    ASSERT_GT(segment.refusals(), 1000) << "seed " << seed;
    EXPECT_GE(segment.least_fill(), 0.90) << "seed " << seed;
    EXPECT_GE(segment.average_fill(), 0.97) << "seed " << seed;
  }
}

TEST(ExtentFragmentation, LeavesLittleUnusedWhicheverGoFirst) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    FullSegment segment(Order::kRandom, seed);
    segment.Run();
    ASSERT_GT(segment.refusals(), 1000) << "seed " << seed;
    EXPECT_GE(segment.least_fill(), 0.75) << "seed " << seed;
    EXPECT_GE(segment.average_fill(), 0.90) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tandem::store
