#include "store/client/copy_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <thread>

namespace tandem::store {
namespace {

using Bytes = std::vector<std::byte>;

Bytes Pattern(size_t size, int seed) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 4096 + seed);
  return bytes;
}

/// Waits until `count` calls are inside at once; whether they came.
class Rendezvous {
 public:
  bool Meet(int count) {
    MutexLock lock(mutex_);
    ++inside_;
    met_.NotifyAll();
    return met_.WaitUntil(mutex_, std::chrono::steady_clock::now() + std::chrono::seconds(20),
                          [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return inside_ >= count; });
  }

 private:
  Mutex mutex_;
  CondVar met_;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(CopyThreadsTest, CopiesAllOfAnySizes) {
  CopyThreads threads(3);
  for (const std::vector<size_t>& sizes :
       {std::vector<size_t>{}, {0}, {1, 0, 4095}, {3 << 20}, {(1 << 20) + 1, 17, 5 << 20}}) {
    std::vector<Bytes> from, to;
    std::vector<Copy> copies;
    for (const size_t size : sizes) {
      from.push_back(Pattern(size, static_cast<int>(from.size())));
      to.emplace_back(size);
    }
    for (size_t i = 0; i < sizes.size(); ++i) copies.push_back({to[i], from[i]});
    CopyAll(copies, threads);
    EXPECT_EQ(to, from);
  }
}

TEST(CopyThreadsTest, SharesLargeCopies) {
  CopyThreads threads(2);
  Rendezvous rendezvous;
  std::atomic<bool> met{true};
  threads.ForEach(2, 64 << 20, [&](size_t) {
    if (!rendezvous.Meet(2)) met = false;
  });
  EXPECT_TRUE(met) << "one thread made both copies";
}

TEST(CopyThreadsTest, LeavesSmallCopiesToTheCallerInOrder) {
  CopyThreads threads(4);
  std::vector<size_t> order;
  threads.ForEach(5, 4096, [&](size_t i) { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3, 4}));
}

TEST(CopyThreadsTest, GoesOnAloneWhileAnothersCopiesAreShared) {
  CopyThreads threads(2);
  Rendezvous both;
  std::atomic<bool> met{true};
  const auto body = [&](size_t) {
    // Two of the first caller's threads, and the second caller's.
    if (!both.Meet(3)) met = false;
  };
  std::thread other([&] { threads.ForEach(2, 64 << 20, body); });
  threads.ForEach(2, 64 << 20, body);
  other.join();
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace tandem::store
