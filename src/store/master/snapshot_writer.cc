#include "store/master/snapshot_writer.h"

#include <spdlog/spdlog.h>

#include "base/status.h"

namespace tandem::store {

SnapshotWriter::SnapshotWriter(Master& master, SnapshotStore& store, Duration interval)
    : master_(master), store_(store), interval_(interval), thread_([this] { Run(); }) {}

SnapshotWriter::~SnapshotWriter() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.NotifyAll();
  thread_.join();
}

absl::Status SnapshotWriter::Save(Master& master, SnapshotStore& store) {
  // What is removed while the snapshot is made stands in the journal that belongs to it.
  ASSIGN_OR_RETURN(const uint64_t journal, store.BeginJournal());
  proto::Snapshot snapshot = master.TakeSnapshot();
  snapshot.set_journal(journal);
  return store.Save(snapshot);
}

void SnapshotWriter::Run() {
  bool stop = false;
  while (!stop) {
    {
      MutexLock lock(mutex_);
      stop = stopped_.WaitUntil(mutex_, Clock::Real().Now() + interval_,
                                [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stop_; });
    }
    const absl::Status saved = Save(master_, store_);
    if (!saved.ok()) spdlog::warn("no snapshot was saved: {}", std::string(saved.message()));
  }
}

}  // namespace tandem::store
