#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/scoped_fd.h"
#include "store/master/removal_log.h"

namespace tandem::store {

/// A master's snapshot in a directory, and the journals of what was removed since. A file that is
/// damaged is as good as none: owners register what they hold in any case. Safe for use by several
/// threads.
///
/// <cluster>.snapshot: XXH3-64 of the rest, then a proto::Snapshot. <cluster>.removals.<n>: records
/// of key hash, generation and XXH3-64 of the two, 8 bytes each in the machine's order; a torn last
/// record counts as not written.
class SnapshotStore : public RemovalLog {
 public:
  /// Opens the directory, making it if need be, and a new journal. The error names the directory.
  static absl::StatusOr<std::unique_ptr<SnapshotStore>> Open(const std::string& directory,
                                                             const std::string& cluster_id);

  /// What was saved last, with the removals since among its tombstones; NotFound if there is none,
  /// DataLoss if it is damaged.
  absl::StatusOr<proto::Snapshot> Load() const;

  /// Removals from here on go to a new journal; its number is for the snapshot that is made next.
  absl::StatusOr<uint64_t> BeginJournal();
  /// Replaces the snapshot, in one step, and drops journals older than it.
  absl::Status Save(const proto::Snapshot& snapshot);

  /// A journal that cannot be written takes the snapshot with it.
  void Append(const std::vector<proto::Tombstone>& removed) override;

 private:
  SnapshotStore(std::string directory, std::string cluster_id)
      : directory_(std::move(directory)), cluster_id_(std::move(cluster_id)) {}

  std::string SnapshotPath() const;
  std::string JournalPath(uint64_t number) const;
  /// The numbers of the journals there are, in their order.
  std::vector<uint64_t> Journals() const;

  const std::string directory_, cluster_id_;
  Mutex mutex_;
  ScopedFd journal_ ABSL_GUARDED_BY(mutex_);
  uint64_t journal_number_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t failed_journal_ ABSL_GUARDED_BY(mutex_) = 0;  // the last that could not be written
};

}  // namespace tandem::store
