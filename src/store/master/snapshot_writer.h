#pragma once

#include <memory>
#include <thread>

#include "base/mutex.h"
#include "store/master/master.h"
#include "store/master/snapshot_store.h"

namespace tandem::store {

/// Saves a master's snapshot at intervals on a thread of its own, and once more at its end. What
/// cannot be saved is logged and tried again next time.
class SnapshotWriter {
 public:
  /// Both must outlive it.
  SnapshotWriter(Master& master, SnapshotStore& store, Duration interval);
  ~SnapshotWriter();

  /// Makes a snapshot and saves it.
  static absl::Status Save(Master& master, SnapshotStore& store);

 private:
  void Run();

  Master& master_;
  SnapshotStore& store_;
  const Duration interval_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::store
