#include "model/hub/partial_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "base/status.h"

namespace tandem::model::hub {
namespace {

static_assert(std::endian::native == std::endian::little, "the footer is little-endian");

struct FooterHead {
  char mark[8];
  int64_t range_bytes;
};

constexpr char kMark[8] = {'T', 'N', 'D', 'M', 'P', 'A', 'R', 'T'};

size_t RangeCount(int64_t size, int64_t range_bytes) {
  return static_cast<size_t>(size / range_bytes + (size % range_bytes != 0 ? 1 : 0));
}

int64_t FileSize(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? info.st_size : -1;
}

bool ReadAll(int fd, void* bytes, size_t count, int64_t offset) {
  auto* to = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = pread(fd, to, count, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    count -= static_cast<size_t>(got);
    offset += got;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PartialFile>> PartialFile::Open(const std::string& path,
                                                               int64_t size, int64_t range_bytes) {
  ScopedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, fmt::format("cannot create {}", path));
  std::unique_ptr<PartialFile> file(new PartialFile(path, std::move(fd), size));
  if (!file->ReadFooter()) RETURN_IF_ERROR(file->Restart(range_bytes));
  return file;
}

int64_t PartialFile::ReceivedAt(const std::string& path, int64_t size) {
  ScopedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return 0;
  PartialFile file(path, std::move(fd), size);
  return file.ReadFooter() ? file.total_ : 0;
}

int64_t PartialFile::RangeBegin(size_t range) const {
  return static_cast<int64_t>(range) * range_bytes_;
}

int64_t PartialFile::RangeSize(size_t range) const {
  return std::min(range_bytes_, size_ - RangeBegin(range));
}

int64_t PartialFile::Prefix() const {
  int64_t prefix = 0;
  for (size_t range = 0; range < received_.size(); ++range) {
    prefix += received_[range];
    if (!HasRange(range)) break;
  }
  return prefix;
}

absl::Status PartialFile::Append(size_t range, std::string_view bytes) {
  const auto count = static_cast<int64_t>(bytes.size());
  if (count > RangeSize(range) - received_[range]) {
    return absl::OutOfRangeError(fmt::format("more bytes came than the {} of the range at {}",
                                             RangeSize(range), RangeBegin(range)));
  }
  RETURN_IF_ERROR(Write(bytes.data(), bytes.size(), RangeBegin(range) + received_[range]));
  received_[range] += count;
  total_ += count;
  return Write(&received_[range], sizeof(int64_t),
               size_ + static_cast<int64_t>(sizeof(FooterHead) + range * sizeof(int64_t)));
}

absl::Status PartialFile::Restart(int64_t range_bytes) {
  range_bytes_ = range_bytes;
  received_.assign(RangeCount(size_, range_bytes), 0);
  total_ = 0;
  if (ftruncate(fd_.get(), 0) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot shorten {}", path_));
  }
  // The head goes last: without it the file counts as empty.
  RETURN_IF_ERROR(Write(received_.data(), received_.size() * sizeof(int64_t),
                        size_ + static_cast<int64_t>(sizeof(FooterHead))));
  FooterHead head{.range_bytes = range_bytes};
  std::memcpy(head.mark, kMark, sizeof(kMark));
  return Write(&head, sizeof(head), size_);
}

absl::Status PartialFile::Finish(const std::string& path) {
  if (ftruncate(fd_.get(), size_) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot shorten {}", path_));
  }
  if (std::rename(path_.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot rename {} to {}", path_, path));
  }
  return absl::OkStatus();
}

void PartialFile::Discard() { unlink(path_.c_str()); }

bool PartialFile::ReadFooter() {
  FooterHead head;
  const int64_t length = FileSize(fd_.get());
  if (!ReadAll(fd_.get(), &head, sizeof(head), size_) ||
      std::memcmp(head.mark, kMark, sizeof(kMark)) != 0 || head.range_bytes <= 0) {
    return false;
  }
  const size_t count = RangeCount(size_, head.range_bytes);
  const auto counts_bytes = static_cast<int64_t>(count * sizeof(int64_t));
  if (length != size_ + static_cast<int64_t>(sizeof(head)) + counts_bytes) return false;
  range_bytes_ = head.range_bytes;
  received_.assign(count, 0);
  if (!ReadAll(fd_.get(), received_.data(), static_cast<size_t>(counts_bytes),
               size_ + static_cast<int64_t>(sizeof(head)))) {
    return false;
  }
  for (size_t range = 0; range < count; ++range) {
    if (received_[range] < 0 || received_[range] > RangeSize(range)) return false;
  }
  total_ = std::accumulate(received_.begin(), received_.end(), int64_t{0});
  return true;
}

absl::Status PartialFile::Write(const void* bytes, size_t count, int64_t offset) {
  const auto* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = pwrite(fd_.get(), from, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, fmt::format("cannot write {}", path_));
    from += written;
    count -= static_cast<size_t>(written);
    offset += written;
  }
  return absl::OkStatus();
}

}  // namespace tandem::model::hub
