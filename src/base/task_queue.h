#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tandem {

/// Runs tasks on threads of its own, first in, first out; at most `capacity` of them wait. Safe for
/// use by several threads.
class TaskQueue {
 public:
  using Task = std::function<void()>;

  TaskQueue(int threads, size_t capacity);
  /// Runs what waits, then ends.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  /// False if the queue is full; the task is dropped then.
  bool Submit(Task task);

 private:
  void Run();

  const size_t capacity_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace tandem
