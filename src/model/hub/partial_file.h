#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::model::hub {

/// A file of known size that arrives in ranges, in any order, and goes on where it stood after the
/// process was killed at any moment. How much of each range has arrived stands behind the bytes
/// themselves: a footer of "TNDMPART", the range's size and a count for each range (64 bits each,
/// little-endian), cut off at the end. Bytes are written before they are counted; after a power
/// loss a count may be ahead of the bytes, which the file's checksum tells.
///
/// Used by one thread, under a lock that keeps other processes away.
class PartialFile {
 public:
  /// Opens or creates the file at `path`. What it holds is kept if it was begun for the same size;
  /// the ranges are then those that it was begun with. `size` and `range_bytes` are bytes, the
  /// latter more than 0.
  static absl::StatusOr<std::unique_ptr<PartialFile>> Open(const std::string& path, int64_t size,
                                                           int64_t range_bytes);

  /// The bytes that have arrived in the file at `path`, 0 if there is none or it is of another
  /// size.
  static int64_t ReceivedAt(const std::string& path, int64_t size);

  int fd() const { return fd_.get(); }
  int64_t size() const { return size_; }
  size_t ranges() const { return received_.size(); }
  int64_t RangeBegin(size_t range) const;
  int64_t RangeSize(size_t range) const;
  /// The bytes of the range that have arrived, from its beginning.
  int64_t Received(size_t range) const { return received_[range]; }
  bool HasRange(size_t range) const { return received_[range] == RangeSize(range); }

  int64_t received() const { return total_; }
  /// The bytes that have arrived without a gap from the file's beginning.
  int64_t Prefix() const;

  /// Writes the next bytes of a range. OutOfRange if they are more than the range lacks;
  /// ResourceExhausted if the disk is full.
  absl::Status Append(size_t range, std::string_view bytes);

  /// Forgets what has arrived, and cuts the file into ranges of `range_bytes`.
  absl::Status Restart(int64_t range_bytes);

  /// Cuts the footer off and gives the whole file its name.
  absl::Status Finish(const std::string& path);

  /// Removes the file.
  void Discard();

 private:
  PartialFile(std::string path, ScopedFd fd, int64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}
  bool ReadFooter();
  absl::Status Write(const void* bytes, size_t count, int64_t offset);

  const std::string path_;
  const ScopedFd fd_;
  const int64_t size_;
  int64_t range_bytes_ = 0;
  std::vector<int64_t> received_;
  int64_t total_ = 0;
};

}  // namespace tandem::model::hub
