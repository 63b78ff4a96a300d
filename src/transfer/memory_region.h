#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::transfer {

/// The memory of a segment, in its owner's process: an anonymous file, mapped writable here and
/// then sealed, so that nobody who is given the descriptor can write to it or change its size.
/// Pages are taken from the system when they are first touched and returned with the last mapping.
class MemoryRegion {
 public:
  /// ResourceExhausted if the system refuses the address space.
  static absl::StatusOr<std::unique_ptr<MemoryRegion>> Create(uint64_t size);
  ~MemoryRegion();
  MemoryRegion(const MemoryRegion&) = delete;
  MemoryRegion& operator=(const MemoryRegion&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }
  int fd() const { return fd_.get(); }

 private:
  MemoryRegion(ScopedFd fd, std::span<std::byte> bytes) : fd_(std::move(fd)), bytes_(bytes) {}

  ScopedFd fd_;
  std::span<std::byte> bytes_;
};

/// Another process's segment, mapped for reading.
class MappedRegion {
 public:
  /// InvalidArgument if the file is shorter than `size` or is not sealed against writing and
  /// shrinking.
  static absl::StatusOr<std::unique_ptr<MappedRegion>> Map(const ScopedFd& fd, uint64_t size);
  ~MappedRegion();
  MappedRegion(const MappedRegion&) = delete;
  MappedRegion& operator=(const MappedRegion&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedRegion(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace tandem::transfer
