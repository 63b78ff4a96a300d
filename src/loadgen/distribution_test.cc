#include "loadgen/distribution.h"

#include <gtest/gtest.h>

namespace tandem::loadgen {
namespace {

TEST(Distribution, TakesTheNearestRank) {
  Distribution distribution;
  for (int i = 100; i >= 1; --i) distribution.Add(i);
  EXPECT_EQ(distribution.Percentile(50), 50);
  EXPECT_EQ(distribution.Percentile(99), 99);
  EXPECT_EQ(distribution.Percentile(100), 100);
  EXPECT_EQ(distribution.Percentile(0), 1);
  EXPECT_EQ(distribution.Percentile(99.5), 100);
}

TEST(Distribution, HasAnAnswerForFewValues) {
  Distribution distribution;
  EXPECT_EQ(distribution.Percentile(50), 0);
  distribution.Add(3);
  EXPECT_EQ(distribution.Percentile(1), 3);
  EXPECT_EQ(distribution.Percentile(99), 3);
}

TEST(Distribution, JoinsAnother) {
  Distribution a, b;
  a.Add(1);
  b.Add(2);
  a.Add(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_EQ(a.Percentile(100), 2);
}

}  // namespace
}  // namespace tandem::loadgen
