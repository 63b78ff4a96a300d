#include <unistd.h>

#include <cerrno>
#include <limits>

#include "base/task_queue.h"
#include "store/disk/disk_io.h"

namespace tandem::store {
namespace {

class ThreadIo : public DiskIo {
 public:
  explicit ThreadIo(int threads) : tasks_(threads, std::numeric_limits<size_t>::max()) {}

  void Read(int fd, uint64_t offset, std::span<std::byte> bytes, Done done) override {
    tasks_.Submit(
        [fd, offset, bytes, done = std::move(done)] { done(ReadAll(fd, offset, bytes)); });
  }
  void Write(int fd, uint64_t offset, std::span<const std::byte> bytes, Done done) override {
    tasks_.Submit(
        [fd, offset, bytes, done = std::move(done)] { done(WriteAll(fd, offset, bytes)); });
  }
  const char* name() const override { return "threads"; }

 private:
  static absl::Status ReadAll(int fd, uint64_t offset, std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return absl::ErrnoToStatus(errno, "cannot read from disk");
      if (n == 0) return absl::DataLossError("a file ends too early");
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return absl::OkStatus();
  }
  static absl::Status WriteAll(int fd, uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return absl::ErrnoToStatus(errno, "cannot write to disk");
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return absl::OkStatus();
  }

  TaskQueue tasks_;
};

}  // namespace

std::unique_ptr<DiskIo> DiskIo::CreateThreads(int threads) {
  return std::make_unique<ThreadIo>(threads);
}

}  // namespace tandem::store
