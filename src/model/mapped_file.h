#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace tandem::model {

/// A regular file mapped read-only; pages are read as they are touched. The mapping sees later
/// writes to the file, and touching a page that the file has lost since kills the process:
/// checkpoints are replaced by renaming, not by rewriting.
class MappedFile {
 public:
  /// NotFound if there is no such file; InvalidArgument if it is not a regular file or is empty.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  /// Takes the pages out of this process's memory; they stay in the page cache.
  void DropPages() const;

  /// Valid as long as the object that holds the mapping.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace tandem::model
