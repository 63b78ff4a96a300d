#include "supervisor/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace tandem::supervisor {
namespace {

constexpr char kPattern[] = "XXXXXX";

/// The lock of a directory; invalid if another process has it.
ScopedFd Lock(const std::string& directory) {
  ScopedFd lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return ScopedFd();
  return lock;
}

void RemoveLeftovers(const std::string& parent, const std::string& prefix) {
  std::error_code error;
  const size_t length = prefix.size() + sizeof(kPattern) - 1;
  std::filesystem::directory_iterator entry(parent, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || name.size() != length) continue;
    if (const ScopedFd lock = Lock(entry->path().string()); lock.valid()) {
      std::error_code of_another_user;
      std::filesystem::remove_all(entry->path(), of_another_user);
    }
  }
}

bool IsThere(const ScopedFd& directory) {
  struct stat status;
  return fstat(directory.get(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunDirectory>> RunDirectory::Create(const std::string& parent,
                                                                   const std::string& prefix) {
  RemoveLeftovers(parent, prefix);
  // Another run may take one for left behind before it is locked, and remove it.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string path = absl::StrCat(parent, "/", prefix, kPattern);
    if (mkdtemp(path.data()) == nullptr) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("cannot make a directory in ", parent,
                              ", which TMPDIR chooses; it takes a directory to write to"));
    }
    ScopedFd lock = Lock(path);
    if (lock.valid() && IsThere(lock)) {
      return std::unique_ptr<RunDirectory>(new RunDirectory(std::move(path), std::move(lock)));
    }
  }
  return absl::UnavailableError(absl::StrCat("directories made in ", parent, " are removed"));
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tandem::supervisor
