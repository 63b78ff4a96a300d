#include "base/task_queue.h"

#include <chrono>
#include <utility>

namespace tandem {
namespace {

/// An idle thread looks around this often; it has nothing to find then.
constexpr auto kIdleWait = std::chrono::minutes(1);

}  // namespace

TaskQueue::TaskQueue(int threads, size_t capacity) : capacity_(capacity) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

TaskQueue::~TaskQueue() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

bool TaskQueue::Submit(Task task) {
  {
    MutexLock lock(mutex_);
    if (waiting_.size() >= capacity_) return false;
    waiting_.push_back(std::move(task));
  }
  changed_.NotifyOne();
  return true;
}

void TaskQueue::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      changed_.WaitUntil(
          mutex_, std::chrono::steady_clock::now() + kIdleWait,
          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) {
        if (stopping_) return;
        continue;
      }
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace tandem
