#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "store/disk/disk_io.h"
#include "store/disk/log_file.h"
#include "store/disk/record.h"

namespace tandem::store {

/// Objects on disk: a log of large files that are written from start to end (record.h has their
/// format), and an index in memory that is rebuilt from their records. When the room is used up the
/// oldest file goes, with all that is in it; a file whose objects have all gone goes at once.
///
/// One thread at a time stores and removes; all else is safe for several.
class ObjectLog {
 public:
  struct Options {
    std::string directory;
    uint64_t capacity_bytes = 0;                ///< Of disk, at most.
    uint64_t file_bytes = uint64_t{256} << 20;  ///< Of a file, if its objects are no larger.
  };
  /// Rebuilds the index from what is in the directory, which no other process may use. `io` must
  /// outlive this.
  static absl::StatusOr<std::unique_ptr<ObjectLog>> Open(const Options& options, DiskIo& io);
  /// Waits for the reads that are under way.
  ~ObjectLog();

  struct Write {
    StoredObject object;
    std::span<const std::byte> bytes;  ///< As many as the object's size says.
  };
  /// Writes objects side by side and indexes them; how each ended. ResourceExhausted on a full
  /// disk. What had to go to make room is appended to `dropped`. A generation that is there already
  /// is OK.
  std::vector<absl::Status> Store(std::span<const Write> writes,
                                  std::vector<StoredObject>* dropped);

  /// Removes for good: no later process finds these. Generations that are not there are OK. On an
  /// error none of them can be read any more, but they may come back; call it again.
  absl::Status Remove(std::span<const uint64_t> generations);

  /// Whether no later process can find here what this one does not, but for files that a crash of
  /// the machine would bring back for want of a sync of the directory. Not so while a removal has
  /// failed, nor any more once a disk has left open whether it wrote a record, or has not given or
  /// deleted a file.
  bool IsComplete() const { return !in_doubt_ && to_mark_.empty(); }

  /// Fills `destination` with bytes of an object from `position` on; `done` is called once, maybe
  /// before this returns, and until then destination must stay valid. NotFound, OutOfRange,
  /// DataLoss if the disk does not give the bytes. They are as the disk has them: compare the
  /// checksum.
  void Read(uint64_t generation, uint64_t position, std::span<std::byte> destination,
            DiskIo::Done done);

  std::optional<StoredObject> Find(uint64_t generation) const;
  std::vector<StoredObject> All() const;

  uint64_t capacity() const { return options_.capacity_bytes; }
  uint64_t used() const { return used_; }
  size_t size() const;

 private:
  struct Entry {
    StoredObject object;
    std::shared_ptr<LogFile> file;
    uint64_t position;
  };
  struct Placed {
    std::shared_ptr<LogFile> file;
    uint64_t position = 0;
  };

  ObjectLog(const Options& options, DiskIo& io) : options_(options), io_(io) {}
  absl::Status Load();
  absl::Status LoadFile(uint64_t number, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Room for a record in the file that is being written, or in a new one.
  absl::StatusOr<Placed> Place(uint64_t length, std::vector<StoredObject>* dropped);
  absl::Status StartFile(uint64_t least, std::vector<StoredObject>* dropped);
  bool DropOldest(std::vector<StoredObject>* dropped);
  void DeleteIfEmpty(const std::shared_ptr<LogFile>& file);
  void Seal();
  void CountUsed();

  const Options options_;
  DiskIo& io_;

  // Of the thread that stores and removes.
  std::map<uint64_t, std::shared_ptr<LogFile>> files_;  // by number: oldest first
  std::shared_ptr<LogFile> active_;                     // of files_; null before the first record
  uint64_t next_number_ = 1;
  absl::flat_hash_map<uint64_t, Entry> to_mark_;  // removed, but not for good yet
  bool in_doubt_ = false;                         // there may be a record that is in neither index
  std::atomic<uint64_t> used_ = 0;

  mutable Mutex mutex_;
  CondVar read_;
  size_t reading_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by generation
};

}  // namespace tandem::store
