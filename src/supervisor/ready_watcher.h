#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::supervisor {

/// The ports a child tells once it serves, by name.
using PortMap = std::map<std::string, int>;

/// Watches a directory for the files by which children say that they serve (cli/ready_file.h).
class ReadyWatcher {
 public:
  static absl::StatusOr<std::unique_ptr<ReadyWatcher>> Create(const std::string& directory);

  /// Becomes readable when a file may have appeared; Acknowledge makes it quiet again.
  int fd() const { return fd_.get(); }
  void Acknowledge();

  /// The ports in the file at `path`, or nothing if it is not there or not whole.
  static std::optional<PortMap> Read(const std::string& path);

 private:
  explicit ReadyWatcher(ScopedFd fd) : fd_(std::move(fd)) {}
  const ScopedFd fd_;
};

}  // namespace tandem::supervisor
