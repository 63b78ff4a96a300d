#include "transfer/memory_region.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

// The kernel's number; older C libraries do not name it.
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace tandem::transfer {
namespace {

constexpr int kSeals = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryRegion>> MemoryRegion::Create(uint64_t size) {
  ScopedFd fd(memfd_create("tandem-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "cannot create memory for a segment");
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot size a segment to {} bytes", size));
  }
  void* address =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (address == MAP_FAILED) {
    return absl::ResourceExhaustedError(fmt::format("cannot map a segment of {} bytes", size));
  }
  std::unique_ptr<MemoryRegion> region(
      new MemoryRegion(std::move(fd), {static_cast<std::byte*>(address), size}));
  if (fcntl(region->fd(), F_ADD_SEALS, kSeals) != 0) {
    return absl::ErrnoToStatus(errno, "cannot seal a segment's memory against writing");
  }
  return region;
}

MemoryRegion::~MemoryRegion() { munmap(bytes_.data(), bytes_.size()); }

absl::StatusOr<std::unique_ptr<MappedRegion>> MappedRegion::Map(const ScopedFd& fd, uint64_t size) {
  struct stat info;
  if (fstat(fd.get(), &info) != 0 || static_cast<uint64_t>(info.st_size) < size) {
    return absl::InvalidArgumentError(
        fmt::format("the owner's memory is shorter than its segment of {} bytes", size));
  }
  if ((fcntl(fd.get(), F_GET_SEALS) & kSeals) != kSeals) {
    return absl::InvalidArgumentError("the owner's memory is not sealed");
  }
  void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (address == MAP_FAILED) return absl::ErrnoToStatus(errno, "cannot map an owner's memory");
  return std::unique_ptr<MappedRegion>(
      new MappedRegion({static_cast<const std::byte*>(address), size}));
}

MappedRegion::~MappedRegion() { munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace tandem::transfer
