#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/task_queue.h"
#include "store/disk/claimed_directory.h"
#include "store/disk/heard_through.h"
#include "store/disk/object_log.h"
#include "store/proto/store.pb.h"
#include "transfer/extent_host.h"

namespace tandem::store {

/// What this process keeps on the local disk of its segment's objects, in a directory of its own:
/// an ObjectLog and the thread that writes it. Until it is opened, and for good where that fails,
/// it holds nothing. Safe for use by several threads.
class DiskTier {
 public:
  using MakeIo = std::function<std::unique_ptr<DiskIo>()>;
  /// `host` is part of the directory's name: a later process of that name finds what was left. It
  /// counts in `metrics`, which must outlive it.
  DiskTier(std::string host, MakeIo make_io, MetricRegistry& metrics);
  /// Waits for what was begun.
  ~DiskTier();

  /// Begins to open it where the master says; once, later calls change nothing. A directory that
  /// cannot be used is warned about and counted.
  void Open(const proto::Offload& where);
  /// Waits until that has ended; whether it is open.
  bool AwaitOpen(TimePoint deadline);
  bool is_open() const { return Get() != nullptr; }
  /// Whether it cannot be opened.
  bool unusable() const;

  /// Of an open one: names its directory for as long as that exists.
  std::string id() const;
  std::vector<StoredObject> Objects() const;
  bool Holds(uint64_t generation) const;
  /// The way to the bytes of an object by its generation and size; NotFound if it is not there.
  absl::StatusOr<transfer::ExtentHost::DiskReader> OpenForRead(
      const transfer::Extent& extent) const;

  struct Stored {
    std::vector<uint64_t> stored;   ///< Generations that are on disk now.
    std::vector<uint64_t> dropped;  ///< Of those that had to go for them.
  };
  /// Writes objects, whose bytes `open` gives, and waits until the disk has done it. Whatever is
  /// removed meanwhile is not there in the end. One call at a time.
  using OpenBytes = std::function<absl::StatusOr<transfer::ReadableBytes>(size_t index)>;
  Stored Store(const std::vector<StoredObject>& objects, const OpenBytes& open);

  /// Takes objects off the disk for good, and those for which an earlier call failed. Those that
  /// are not there, and that no call of Store under way writes, are gone. DeadlineExceeded if the
  /// disk has not done it in time; it will, or not: call it again.
  absl::Status Remove(const std::vector<uint64_t>& generations, TimePoint deadline);

  /// What the disk's objects have outlived, as its file says: after a start, what the last process
  /// noted.
  HeardThrough heard_through() const;
  /// To be told after Remove of each removal below `heard` that may concern what is, or is being,
  /// stored has ended well. Has the disk's thread note it if it is news, there are objects and
  /// nothing that was removed may come back; at most once a second, so tell it again. Does not
  /// wait.
  void NoteHeardThrough(const HeardThrough& heard);

 private:
  struct Disk {
    ClaimedDirectory directory;
    std::unique_ptr<DiskIo> io;
    std::unique_ptr<ObjectLog> log;
  };
  struct Counters {
    explicit Counters(MetricRegistry& metrics);
    prometheus::Counter& written_bytes;
    prometheus::Counter& failed_writes;
    prometheus::Counter& read_bytes;
    prometheus::Counter& failed_reads;
    prometheus::Counter& unusable;
    prometheus::Gauge& objects;
    prometheus::Gauge& used_bytes;
  };
  class Ending;

  std::shared_ptr<Disk> Get() const;
  absl::StatusOr<std::shared_ptr<Disk>> TryOpen(const proto::Offload& where);
  /// Runs a task on the disk's thread; what it returns is where to wait for it.
  std::shared_ptr<Ending> Run(std::function<absl::Status(Disk& disk)> task);
  void ShowUse(const Disk& disk);
  /// On the disk's thread. FailedPrecondition while what was removed may come back.
  absl::Status WriteHeard(const Disk& disk, const HeardThrough& heard);

  const std::string host_;
  const MakeIo make_io_;
  Counters counters_;

  mutable Mutex mutex_;
  CondVar opened_;
  bool unusable_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Disk> disk_ ABSL_GUARDED_BY(mutex_);
  /// What is being stored, and whether it was removed since.
  absl::flat_hash_map<uint64_t, bool> storing_ ABSL_GUARDED_BY(mutex_);
  /// What is to be removed and has not been.
  absl::flat_hash_set<uint64_t> removing_ ABSL_GUARDED_BY(mutex_);
  HeardThrough heard_ ABSL_GUARDED_BY(mutex_);  // as the file has it
  bool noting_ ABSL_GUARDED_BY(mutex_) = false;
  bool note_failed_ ABSL_GUARDED_BY(mutex_) = false;
  TimePoint note_again_at_ ABSL_GUARDED_BY(mutex_) = TimePoint::min();
  std::unique_ptr<TaskQueue> tasks_ ABSL_GUARDED_BY(mutex_);  // ends first
};

}  // namespace tandem::store
