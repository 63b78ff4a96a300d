#pragma once

#include "base/clock.h"

namespace tandem::http {

/// Something that happens once on another thread, to be waited for in tests.
class Event {
 public:
  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  /// Returns whether it has happened within `limit`.
  bool Wait(Duration limit = std::chrono::seconds(10)) {
    MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, Clock::Real().Now() + limit,
                              [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return set_; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::http
