#include "store/disk/claimed_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <filesystem>

#include "base/hash.h"
#include "base/status.h"

namespace tandem::store {
namespace {

constexpr int kMostDirectories = 4096;
constexpr size_t kIdLength = 32;

/// A file's name may not hold all that a host's may.
std::string FileName(const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    safe += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return safe;
}

absl::Status Failed(const std::string& path) {
  return absl::ErrnoToStatus(errno, fmt::format("cannot use {}", path));
}

/// The lock file's content, which is the directory's id; made if it is not there yet.
absl::StatusOr<std::string> ReadId(int fd, const std::string& path, bool& is_new) {
  std::string id(kIdLength, '\0');
  is_new = pread(fd, id.data(), id.size(), 0) != static_cast<ssize_t>(id.size());
  if (!is_new) return id;
  std::array<uint8_t, kIdLength / 2> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);  // cannot fall short for so few bytes
  id = ToHex(bytes);
  if (pwrite(fd, id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) return Failed(path);
  return id;
}

}  // namespace

absl::StatusOr<ClaimedDirectory> ClaimedDirectory::Claim(const std::string& root,
                                                         const std::string& name) {
  for (int i = 0; i < kMostDirectories; ++i) {
    const std::string path = fmt::format("{}/{}-{}", root, FileName(name), i);
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
      errno = error.value();
      return Failed(path);
    }
    const std::string lock_path = path + "/lock";
    ScopedFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.valid()) return Failed(lock_path);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) continue;
      return Failed(lock_path);
    }
    bool is_new = false;
    ASSIGN_OR_RETURN(std::string id, ReadId(lock.get(), lock_path, is_new));
    return ClaimedDirectory(path, std::move(id), is_new, std::move(lock));
  }
  return absl::ResourceExhaustedError(fmt::format("all of {}/{}-* are in use", root, name));
}

}  // namespace tandem::store
