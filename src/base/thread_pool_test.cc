#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace tandem {
namespace {

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, CallsEachIndexOnceAndSeesWhatItWrote) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.threads(), GetParam());
  for (int loop = 0; loop < 2000; ++loop) {
    // Plain ints: the loop's end must publish what the workers wrote.
    std::vector<int> calls(loop % 37);
    pool.ParallelFor(calls.size(), [&](int64_t index, int) { ++calls[index]; });
    for (const int count : calls) ASSERT_EQ(count, 1) << "loop " << loop;
  }
}

TEST_P(ThreadPoolTest, GivesEachThreadItsOwnNumber) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> inside(pool.threads());
  std::atomic<bool> shared{false};
  pool.ParallelFor(5000, [&](int64_t, int thread) {
    if (inside.at(thread).fetch_add(1) != 0) shared = true;
    inside[thread].fetch_sub(1);
  });
  EXPECT_FALSE(shared);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, ::testing::Values(1, 2, 5));

}  // namespace
}  // namespace tandem
