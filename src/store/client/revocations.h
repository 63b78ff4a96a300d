#pragma once

#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// Puts that were given up, on their way to the master: whoever lets go of a reservation does not
/// wait for the network. Wakes the thread that sends them. Safe for use by several threads.
class Revocations {
 public:
  void Add(proto::PutEndItem item) {
    MutexLock lock(mutex_);
    items_.push_back(std::move(item));
    woken_ = true;
    changed_.NotifyAll();
  }

  std::vector<proto::PutEndItem> TakeAll() {
    MutexLock lock(mutex_);
    return std::exchange(items_, {});
  }

  void Wake() {
    MutexLock lock(mutex_);
    woken_ = true;
    changed_.NotifyAll();
  }

  /// Has every Wait return false from now on.
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }

  /// Waits for something to do, at most until `deadline`. False once it is stopped.
  bool Wait(TimePoint deadline) {
    MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, deadline,
                       [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return woken_ || stopped_; });
    woken_ = false;
    return !stopped_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<proto::PutEndItem> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store
