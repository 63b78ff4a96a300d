#include "api/schema/choice_seed.h"

#include <gtest/gtest.h>

#include <limits>

namespace tandem::api {
namespace {

TEST(SeedOfChoiceTest, CountsUpFromTheRequests) {
  EXPECT_EQ(SeedOfChoice(7, 0), 7);
  EXPECT_EQ(SeedOfChoice(7, 3), 10);
  EXPECT_EQ(SeedOfChoice(-5, 3), -2);
}

TEST(SeedOfChoiceTest, PassesTheOneThatMeansNone) {
  EXPECT_EQ(SeedOfChoice(-3, 1), -2);
  EXPECT_EQ(SeedOfChoice(-3, 2), 0);
  EXPECT_EQ(SeedOfChoice(-3, 3), 1);
}

TEST(SeedOfChoiceTest, GoesAroundTheEnd) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(SeedOfChoice(kLargest, 1), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(SeedOfChoice(kLargest - 1, 1), kLargest);
}

}  // namespace
}  // namespace tandem::api
