#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"

namespace tandem::store {

/// Reads and writes files, many at once, without blocking who asks. Safe for use by several
/// threads. Each operation ends with one call of `done`, on a thread of this; until then the file
/// and the bytes must stay valid.
class DiskIo {
 public:
  using Done = std::function<void(absl::Status)>;

  /// Over io_uring where the kernel has it and lets this process use it, else by threads.
  static std::unique_ptr<DiskIo> Create();
  /// By so many threads that call pread and pwrite.
  static std::unique_ptr<DiskIo> CreateThreads(int threads);
  /// Over io_uring; null where that cannot be had.
  static std::unique_ptr<DiskIo> CreateUring();
  /// Waits until every operation has ended.
  virtual ~DiskIo() = default;

  /// Fills all of `bytes` from `offset` on. DataLoss if the file ends before.
  virtual void Read(int fd, uint64_t offset, std::span<std::byte> bytes, Done done) = 0;
  /// Writes all of `bytes`. ResourceExhausted on a full disk.
  virtual void Write(int fd, uint64_t offset, std::span<const std::byte> bytes, Done done) = 0;

  /// Takes space for the first `bytes` of a file without changing its length, where the file system
  /// can. ResourceExhausted on a full disk. Blocks.
  virtual absl::Status Reserve(int fd, uint64_t bytes);
  /// Has what was written outlive a crash of the machine. Blocks.
  virtual absl::Status Sync(int fd);

  /// How it is done, for the log.
  virtual const char* name() const = 0;
};

}  // namespace tandem::store
