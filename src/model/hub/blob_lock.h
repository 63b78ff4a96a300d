#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::model::hub {

/// Keeps other processes from writing a blob: an exclusive flock on a file of its own, the one that
/// huggingface_hub takes too. It ends with the process, however that ends. The file stays.
class BlobLock {
 public:
  /// Nothing if another process holds it. Creates the file and its directories.
  static absl::StatusOr<std::optional<BlobLock>> TryTake(const std::string& path);

 private:
  explicit BlobLock(ScopedFd fd) : fd_(std::move(fd)) {}

  ScopedFd fd_;
};

}  // namespace tandem::model::hub
