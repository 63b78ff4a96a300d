#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"

namespace tandem {

/// Threads that share the loops of one driving thread, which works along. A worker that finds no
/// loop spins for some tens of microseconds, the usual gap between two loops of a step, and then
/// sleeps, so that idle engines leave the cores to others.
class ThreadPool {
 public:
  /// `threads` counts the driving thread; at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(index, thread) for each index in [0, count), in any order, with thread in [0,
  /// threads()) and no two calls at once with the same thread; returns when all are done. Only the
  /// driving thread may call it, and not from within a body.
  void ParallelFor(int64_t count, absl::FunctionRef<void(int64_t index, int thread)> body);

 private:
  using Body = absl::FunctionRef<void(int64_t, int)>;

  void WorkerMain(int thread);
  bool AwaitLoop(uint64_t last_loop);
  void RunIndices(int thread);

  // The loop's number from bit 17, whether it may be joined in bit 16, and below that the number of
  // workers inside.
  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> next_index_{0};
  const Body* body_ = nullptr;  // With count_, written only while no worker is inside.
  int64_t count_ = 0;

  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  CondVar wake_;
  std::vector<std::thread> workers_;
};

}  // namespace tandem
