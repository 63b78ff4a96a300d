#include "store/disk/disk_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace tandem::store {

absl::Status DiskIo::Reserve(int fd, uint64_t bytes) {
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0 ||
      errno == EOPNOTSUPP || errno == ENOSYS) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "cannot take space on disk");
}

absl::Status DiskIo::Sync(int fd) {
  if (fdatasync(fd) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "cannot sync a file");
}

std::unique_ptr<DiskIo> DiskIo::Create() {
  constexpr int kThreads = 4;
  std::unique_ptr<DiskIo> uring = CreateUring();
  return uring != nullptr ? std::move(uring) : CreateThreads(kThreads);
}

}  // namespace tandem::store
