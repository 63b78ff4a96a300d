#include "base/mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace tandem {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(CondVar, WakesWhenThePredicateBecomesTrue) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread other([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    EXPECT_TRUE(changed.WaitUntil(mutex, steady_clock::now() + seconds(10), [&] { return ready; }));
  }
  other.join();
}

TEST(CondVar, ReturnsFalseAtTheDeadline) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(mutex);
  EXPECT_FALSE(
      changed.WaitUntil(mutex, steady_clock::now() + milliseconds(1), [] { return false; }));
}

}  // namespace
}  // namespace tandem
