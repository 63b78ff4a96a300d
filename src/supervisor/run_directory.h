#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::supervisor {

/// A directory that lasts as long as one run of the program. It is locked: a later run knows by
/// that which ones were left behind by runs that were killed, and removes them.
class RunDirectory {
 public:
  /// Makes one in `parent`, named `prefix` and six characters, and removes those left there.
  static absl::StatusOr<std::unique_ptr<RunDirectory>> Create(const std::string& parent,
                                                              const std::string& prefix);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  RunDirectory(std::string path, ScopedFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const ScopedFd lock_;
};

}  // namespace tandem::supervisor
