#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "store/master/master.h"

namespace tandem::store {

/// The Master that answers at present: none while another process leads the cluster. Safe for use
/// by several threads.
class ServingMaster {
 public:
  /// Nobody, until Serve.
  ServingMaster() = default;
  /// Always `master`, which must outlive it and all who use it.
  static std::shared_ptr<ServingMaster> Of(Master& master) {
    auto serving = std::make_shared<ServingMaster>();
    serving->Serve(std::shared_ptr<Master>(&master, [](Master*) {}), nullptr);
    return serving;
  }

  /// `may_serve` is asked before and after every call, and null means always.
  void Serve(std::shared_ptr<Master> master, std::function<bool()> may_serve) {
    MutexLock lock(mutex_);
    master_ = std::move(master);
    may_serve_ = std::move(may_serve);
  }

  /// Answers no more; calls under way end.
  void StandBy() {
    StopWaiting();
    Serve(nullptr, nullptr);
  }

  /// Has calls that wait return.
  void StopWaiting() {
    MutexLock lock(mutex_);
    if (master_ != nullptr) master_->StopWaiting();
  }

  /// Null while it stands by.
  std::shared_ptr<Master> Get() const {
    MutexLock lock(mutex_);
    return may_serve_ == nullptr || may_serve_() ? master_ : nullptr;
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<Master> master_ ABSL_GUARDED_BY(mutex_);
  std::function<bool()> may_serve_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store
