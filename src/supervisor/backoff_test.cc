#include "supervisor/backoff.h"

#include <gtest/gtest.h>

namespace tandem::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Backoff, DoublesUpToTenSeconds) {
  Backoff backoff;
  TimePoint now{};
  const int expected[] = {500, 1000, 2000, 4000, 8000, 10000, 10000};
  for (int delay : expected) {
    backoff.Started(now);
    EXPECT_EQ(backoff.Died(now) - now, milliseconds(delay));
  }
}

TEST(Backoff, StartsOverAfterALongRun) {
  Backoff backoff;
  TimePoint now{};
  backoff.Started(now);
  backoff.Died(now);
  backoff.Started(now);
  now += seconds(31);
  EXPECT_EQ(backoff.Died(now) - now, milliseconds(500));
  EXPECT_EQ(backoff.quick_deaths(), 1);
}

}  // namespace
}  // namespace tandem::supervisor
