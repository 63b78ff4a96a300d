#include "base/thread_pool.h"

#include <immintrin.h>

#include <chrono>

namespace tandem {
namespace {

constexpr uint64_t kOpen = 1u << 16;
constexpr uint64_t kWorkers = kOpen - 1;
constexpr uint64_t kLoop = kOpen << 1;

constexpr auto kSpinTime = std::chrono::microseconds(60);
constexpr auto kSleepTime = std::chrono::seconds(1);
constexpr int kPausesPerLook = 32;
constexpr int kPausesBeforeYield = 4096;

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { WorkerMain(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  {
    MutexLock lock(mutex_);
    wake_.NotifyAll();
  }
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(int64_t count, Body body) {
  if (count <= 1 || workers_.empty()) {
    for (int64_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  body_ = &body;
  count_ = count;
  next_index_.store(0, std::memory_order_relaxed);
  const uint64_t loop = (state_.load(std::memory_order_relaxed) / kLoop + 1) * kLoop;
  state_.store(loop | kOpen);
  if (sleepers_.load() > 0) {
    MutexLock lock(mutex_);
    wake_.NotifyAll();
  }
  RunIndices(0);
  // A worker that has not joined by now finds nothing left to do and need not be waited for.
  state_.fetch_and(~kOpen);
  for (int pauses = 0; (state_.load(std::memory_order_acquire) & kWorkers) != 0; ++pauses) {
    if (pauses < kPausesBeforeYield) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::RunIndices(int thread) {
  for (;;) {
    const int64_t index = next_index_.fetch_add(1, std::memory_order_relaxed);
    if (index >= count_) return;
    (*body_)(index, thread);
  }
}

void ThreadPool::WorkerMain(int thread) {
  uint64_t last_loop = 0;
  while (AwaitLoop(last_loop)) {
    uint64_t state = state_.load(std::memory_order_relaxed);
    if ((state & kOpen) == 0 || !state_.compare_exchange_weak(state, state + 1)) continue;
    last_loop = state / kLoop;
    RunIndices(thread);
    state_.fetch_sub(1, std::memory_order_release);
  }
}

bool ThreadPool::AwaitLoop(uint64_t last_loop) {
  const auto may_proceed = [this, last_loop] {
    const uint64_t state = state_.load();
    return ((state & kOpen) != 0 && state / kLoop != last_loop) || stopping_.load();
  };
  const auto spin_end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int pause = 0; pause < kPausesPerLook; ++pause) {
      if (may_proceed()) return !stopping_.load();
      _mm_pause();
    }
  } while (std::chrono::steady_clock::now() < spin_end);

  MutexLock lock(mutex_);
  sleepers_.fetch_add(1);
  while (!wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kSleepTime, may_proceed)) {
  }
  sleepers_.fetch_sub(1);
  return !stopping_.load();
}

}  // namespace tandem
