#include "cache/circuit_breaker.h"

#include <gtest/gtest.h>

namespace tandem::cache {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  /// Advances just short of `pause`, then to its end; whether a call was let through at that point
  /// and not before.
  bool TriesAfter(Duration pause) {
    clock_.Advance(pause - milliseconds(1));
    if (breaker_.Allow()) return false;
    clock_.Advance(milliseconds(1));
    return breaker_.Allow();
  }

  FakeClock clock_;
  CircuitBreaker breaker_{clock_, seconds(1), seconds(5)};
};

TEST_F(CircuitBreakerTest, LetsCallsThroughWhileTheySucceed) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(breaker_.Allow());
    breaker_.Succeeded();
  }
  EXPECT_FALSE(breaker_.open());
}

TEST_F(CircuitBreakerTest, PausesLongerWithEveryFailedTry) {
  ASSERT_TRUE(breaker_.Allow());
  breaker_.Failed();
  EXPECT_TRUE(breaker_.open());
  for (const Duration pause : {seconds(1), seconds(2), seconds(4), seconds(5), seconds(5)}) {
    EXPECT_TRUE(TriesAfter(pause));
    breaker_.Failed();
  }
}

TEST_F(CircuitBreakerTest, OneCallTriesAtATime) {
  breaker_.Failed();
  clock_.Advance(seconds(1));
  EXPECT_TRUE(breaker_.Allow());
  EXPECT_FALSE(breaker_.Allow());
  breaker_.Succeeded();
  EXPECT_TRUE(breaker_.Allow());
  EXPECT_TRUE(breaker_.Allow());
}

TEST_F(CircuitBreakerTest, StartsOverAfterASuccess) {
  breaker_.Failed();
  ASSERT_TRUE(TriesAfter(seconds(1)));
  breaker_.Failed();
  ASSERT_TRUE(TriesAfter(seconds(2)));
  breaker_.Succeeded();
  breaker_.Failed();
  EXPECT_TRUE(TriesAfter(seconds(1)));
}

TEST_F(CircuitBreakerTest, CallsThatFailTogetherCountOnce) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(breaker_.Allow());
  for (int i = 0; i < 10; ++i) breaker_.Failed();
  EXPECT_TRUE(TriesAfter(seconds(1)));
}

}  // namespace
}  // namespace tandem::cache
