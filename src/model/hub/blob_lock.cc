#include "model/hub/blob_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace tandem::model::hub {

absl::StatusOr<std::optional<BlobLock>> BlobLock::TryTake(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  ScopedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0664));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, fmt::format("cannot open the lock {}", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    return absl::ErrnoToStatus(errno, fmt::format("cannot take the lock {}", path));
  }
  return BlobLock(std::move(fd));
}

}  // namespace tandem::model::hub
