#pragma once

#include <thread>

#include "base/mutex.h"
#include "store/master/master.h"

namespace tandem::store {

/// Calls Master::Maintain ten times a second on a thread of its own, for as long as it lives, and
/// ends the evictions that puts have begun.
class Maintenance {
 public:
  explicit Maintenance(Master& master);
  ~Maintenance();
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

 private:
  void Run();

  Master& master_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::store
