#pragma once

#include <functional>
#include <utility>

#include "base/mutex.h"

namespace tandem::transfer {

/// The way back to a thread for what ends elsewhere, maybe after that thread. Safe for use by
/// several threads.
class Mailbox {
 public:
  using Task = std::function<void()>;
  /// `deliver` runs a task on the thread, soon. It must not block.
  explicit Mailbox(std::function<void(Task)> deliver) : deliver_(std::move(deliver)) {}

  /// Dropped once it is closed.
  void Post(Task task) {
    MutexLock lock(mutex_);
    if (deliver_ != nullptr) deliver_(std::move(task));
  }
  void Close() {
    MutexLock lock(mutex_);
    deliver_ = nullptr;
  }

 private:
  Mutex mutex_;
  std::function<void(Task)> deliver_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::transfer
