#include "store/disk/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/status.h"

namespace tandem::store {
namespace {

/// A file's bytes, read in windows, as records are searched for from its start to its end.
class Window {
 public:
  Window(int fd, uint64_t size) : fd_(fd), size_(size) {}

  /// Bytes from `position` on, as many as a head can have, fewer at the end of the file.
  std::span<const std::byte> At(uint64_t position) {
    const uint64_t wanted = std::min(kMostHeadBytes, size_ - std::min(size_, position));
    if (position < start_ || position + wanted > start_ + bytes_.size()) Fill(position);
    const uint64_t offset = position - start_;
    const uint64_t there = bytes_.size() - std::min<uint64_t>(offset, bytes_.size());
    return std::span<const std::byte>(bytes_).subspan(std::min<uint64_t>(offset, bytes_.size()),
                                                      std::min(wanted, there));
  }

  /// Whether the disk did not give something.
  bool failed() const { return failed_; }

 private:
  static constexpr size_t kBytes = 64 << 10;

  void Fill(uint64_t position) {
    start_ = position;
    bytes_.resize(kBytes);
    size_t filled = 0;
    while (filled < kBytes) {
      const ssize_t n = pread(fd_, bytes_.data() + filled, kBytes - filled,
                              static_cast<off_t>(position + filled));
      if (n < 0 && errno == EINTR) continue;
      failed_ = failed_ || n < 0;
      if (n <= 0) break;
      filled += static_cast<size_t>(n);
    }
    bytes_.resize(filled);
  }

  const int fd_;
  const uint64_t size_;
  uint64_t start_ = 0;
  std::vector<std::byte> bytes_;
  bool failed_ = false;
};

}  // namespace

absl::StatusOr<std::shared_ptr<LogFile>> LogFile::Create(DiskIo& io, const std::string& path,
                                                         uint64_t number, uint64_t bytes) {
  ScopedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, fmt::format("cannot make {}", path));
  FileHeader header{.number = number};
  (void)!getrandom(&header.nonce, sizeof(header.nonce), 0);  // cannot fall short for so few bytes
  const std::string block = PackFileHeader(header);
  absl::Status status = io.Reserve(fd.get(), bytes);
  if (status.ok() &&
      pwrite(fd.get(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size())) {
    status = absl::ErrnoToStatus(errno, "cannot write to disk");
  }
  if (!status.ok()) {
    unlink(path.c_str());
    return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
  }
  return std::shared_ptr<LogFile>(new LogFile(path, std::move(fd), header, bytes));
}

absl::StatusOr<std::shared_ptr<LogFile>> LogFile::Open(const std::string& path,
                                                       std::vector<Found>* records) {
  ScopedFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot open {}", path));
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  Window window(fd.get(), size);
  ASSIGN_OR_RETURN(const FileHeader header, UnpackFileHeader(window.At(0)));
  std::shared_ptr<LogFile> file(new LogFile(path, std::move(fd), header, size));
  for (uint64_t position = kFileHeaderBytes; position < size;) {
    const auto head = UnpackHead(window.At(position), header.nonce, position);
    // A disk that fails may take seconds for each answer.
    file->read_whole_ = !window.failed();
    if (!file->read_whole_) return file;
    const uint64_t next =
        position +
        (head.ok() ? RecordLength(head->object.key.size(), head->object.size) : kRecordAlignment);
    if (head.ok() && position + BytesOffset(head->object.key.size()) + head->object.size <= size) {
      records->push_back({*head, position});
      file->end = next;
    }
    position = next;
  }
  file->Seal();
  return file;
}

void LogFile::Seal() {
  // Of an unwritten end nothing is lost if this fails, but for the space.
  if (ftruncate(fd_.get(), static_cast<off_t>(end)) == 0) capacity_ = end;
}

bool LogFile::Delete() {
  if (unlink(path_.c_str()) == 0) return true;
  spdlog::warn("{}", absl::ErrnoToStatus(errno, fmt::format("cannot delete {}", path_)).ToString());
  return false;
}

}  // namespace tandem::store
