#include "base/task_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace tandem {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

TEST(TaskQueueTest, RunsEveryTask) {
  std::atomic<int> ran = 0;
  {
    TaskQueue queue(4, 1000);
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(queue.Submit([&ran] { ++ran; }));
  }
  EXPECT_EQ(ran, 500);
}

TEST(TaskQueueTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    TaskQueue queue(1, 100);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.Submit([&order, i] { order.push_back(i); }));
  }
  ASSERT_EQ(order.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(order[i], i);
}

TEST(TaskQueueTest, RefusesMoreThanItsCapacity) {
  std::promise<void> started, release;
  std::future<void> released = release.get_future();
  TaskQueue queue(1, 2);
  ASSERT_TRUE(queue.Submit([&] {
    started.set_value();
    released.wait_for(kPatience);
  }));
  ASSERT_EQ(started.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(queue.Submit([] {}));
  EXPECT_TRUE(queue.Submit([] {}));
  EXPECT_FALSE(queue.Submit([] {}));
  release.set_value();
}

TEST(TaskQueueTest, ThreadsWorkSideBySide) {
  std::promise<void> first, second;
  TaskQueue queue(2, 10);
  std::atomic<bool> met = false;
  ASSERT_TRUE(queue.Submit([&] {
    first.set_value();
    met = second.get_future().wait_for(kPatience) == std::future_status::ready;
  }));
  ASSERT_TRUE(queue.Submit([&] { second.set_value(); }));
  ASSERT_EQ(first.get_future().wait_for(kPatience), std::future_status::ready);
  std::promise<void> both;
  ASSERT_TRUE(queue.Submit([&] { both.set_value(); }));
  ASSERT_EQ(both.get_future().wait_for(kPatience), std::future_status::ready);
}

}  // namespace
}  // namespace tandem
