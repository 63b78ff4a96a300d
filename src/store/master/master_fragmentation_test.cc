#include <gtest/gtest.h>

#include <random>
#include <string>

#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

constexpr uint64_t kSegment = uint64_t{64} << 20;

/// Fills every segment, several times over, with objects of a KV cache's sizes and of odd ones, of
/// which some are removed in between.
void Churn(Pool& pool, int segments, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&random](uint64_t most) {
    return std::uniform_int_distribution<uint64_t>(0, most)(random);
  };
  constexpr uint64_t kChunks[] = {112 << 10, 448 << 10, 1 << 20, 1792 << 10};
  const int objects = 300 * segments;
  for (int i = 0; i < objects; ++i) {
    const uint64_t size = pick(4) == 0 ? 1 + pick(1 << 20) : kChunks[pick(3)];
    ASSERT_EQ(pool.Put("s0", "k" + std::to_string(i), size), kOk);
    if (pick(4) == 0) pool.Remove("k" + std::to_string(pick(uint64_t(i))));
  }
  ASSERT_GT(pool.metrics.evicted_keys.Value(), 0);
}

void Mount(Pool& pool, int segments) {
  for (int i = 0; i < segments; ++i) pool.Mount("s" + std::to_string(i), kSegment);
}

/// An eviction for one object may go on for four times its size.
TEST(MasterFragmentation, AnObjectOfAQuarterOfThePoolFindsRoomAtOnce) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Pool pool({.random_seed = seed});
    Mount(pool, 4);
    Churn(pool, 4, seed);
    EXPECT_EQ(pool.Put("s0", "whole segment", kSegment), kOk) << "seed " << seed;
    EXPECT_EQ(pool.metrics.allocation_failures.Value(), 0) << "seed " << seed;
  }
}

/// What an eviction that was not enough has freed is there for the next try.
TEST(MasterFragmentation, AnObjectThatFitsASegmentFindsRoomInAFewPuts) {
  constexpr int kSegments = 16;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Pool pool({.random_seed = seed});
    Mount(pool, kSegments);
    Churn(pool, kSegments, seed);
    int puts = 1;
    while (pool.Put("s0", "whole segment", kSegment) == kNoSpace && puts <= kSegments) ++puts;
    EXPECT_LE(puts, kSegments / 4) << "seed " << seed;
  }
}

TEST(MasterFragmentation, ObjectsOfTheSizesThereWereFindRoomAtOnce) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Pool pool({.random_seed = seed});
    Mount(pool, 16);
    Churn(pool, 16, seed);
    EXPECT_EQ(pool.metrics.allocation_failures.Value(), 0) << "seed " << seed;
    EXPECT_GE(double(pool.master.usage().allocated_bytes), 0.75 * 16 * double(kSegment))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace tandem::store
