#include "loadgen/machine_limits.h"

#include <gtest/gtest.h>

namespace tandem::loadgen {
namespace {

TEST(MachineLimits, AreThoseOfAMachine) {
  const TimePoint start = Clock::Real().Now();
  const auto limits = MeasureMachine(std::chrono::milliseconds(20));
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_GE(Clock::Real().Now() - start, std::chrono::milliseconds(40));
  EXPECT_GT(limits->memcpy_bytes_per_second, 1e7);
  EXPECT_LT(limits->memcpy_bytes_per_second, 1e13);
  EXPECT_GT(limits->loopback_bytes_per_second, 1e6);
  EXPECT_LT(limits->loopback_bytes_per_second, 1e13);
}

}  // namespace
}  // namespace tandem::loadgen
