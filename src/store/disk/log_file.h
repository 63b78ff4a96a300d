#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"
#include "store/disk/disk_io.h"
#include "store/disk/record.h"

namespace tandem::store {

/// One file of a log, open for reading as long as anybody has it, deleted or not. Where its records
/// are is known to whoever made them. Reading the descriptor is safe for several threads.
class LogFile {
 public:
  /// Makes a file with a header and takes `bytes` of disk for it.
  static absl::StatusOr<std::shared_ptr<LogFile>> Create(DiskIo& io, const std::string& path,
                                                         uint64_t number, uint64_t bytes);

  struct Found {
    RecordHead head;
    uint64_t position;
  };
  /// Opens a file that an earlier process left and lists its whole records in their order. What is
  /// damaged is passed over (the next record is searched for), and what follows the last whole
  /// record is cut off. DataLoss if it is no log file. A disk that fails ends the list: see
  /// read_whole().
  static absl::StatusOr<std::shared_ptr<LogFile>> Open(const std::string& path,
                                                       std::vector<Found>* records);

  /// Gives the disk back that was taken beyond `end`.
  void Seal();
  /// False, with a warning, if it cannot be deleted.
  bool Delete();

  int fd() const { return fd_.get(); }
  const FileHeader& header() const { return header_; }
  uint64_t capacity() const { return capacity_; }
  /// Whether the disk gave all of it to Open.
  bool read_whole() const { return read_whole_; }

  uint64_t end = kFileHeaderBytes;  ///< Where the next record goes.
  size_t live = 0;                  ///< Records of objects that are there.

 private:
  LogFile(std::string path, ScopedFd fd, FileHeader header, uint64_t capacity)
      : path_(std::move(path)), fd_(std::move(fd)), header_(header), capacity_(capacity) {}

  const std::string path_;
  const ScopedFd fd_;
  const FileHeader header_;
  uint64_t capacity_;  // bytes of disk it takes
  bool read_whole_ = true;
};

}  // namespace tandem::store
