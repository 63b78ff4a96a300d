#include "base/clock.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock;
  const TimePoint start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(std::chrono::seconds(3));
  EXPECT_EQ(clock.Now() - start, std::chrono::seconds(3));
}

TEST(Clock, RealTimeDoesNotGoBack) {
  const TimePoint start = Clock::Real().Now();
  EXPECT_GE(Clock::Real().Now(), start);
}

}  // namespace
}  // namespace tandem
