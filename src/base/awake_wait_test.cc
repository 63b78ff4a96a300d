#include "base/awake_wait.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

namespace tandem {
namespace {

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

TEST(AwakeWaitTest, ReturnsOnceItIsDone) {
  int calls = 0;
  WaitAwake(In(std::chrono::hours(1)), [&] { return ++calls == 100; });
  EXPECT_EQ(calls, 100);
}

TEST(AwakeWaitTest, EndsAtItsTime) {
  const TimePoint until = In(std::chrono::milliseconds(2));
  WaitAwake(until, [] { return false; });
  EXPECT_GE(Clock::Real().Now(), until);
}

TEST(AwakeWaitTest, FewThreadsWaitAtTheSameTime) {
  const size_t most = std::max(1u, std::thread::hardware_concurrency() / 2);
  std::vector<std::unique_ptr<AwakeWaiter>> waiters;
  for (size_t i = 0; i < most; ++i) {
    EXPECT_TRUE(waiters.emplace_back(std::make_unique<AwakeWaiter>())->may_wait()) << i;
  }
  bool called = false;
  WaitAwake(In(std::chrono::hours(1)), [&] { return called = true; });
  EXPECT_FALSE(called);
  waiters.pop_back();
  WaitAwake(In(std::chrono::hours(1)), [&] { return called = true; });
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace tandem
