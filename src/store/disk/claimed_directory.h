#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::store {

/// A directory below a shared one that no other process uses while this lives: a lock on a file in
/// it says so, which ends with the process. Whoever starts again under the same name finds what was
/// left there.
class ClaimedDirectory {
 public:
  /// Takes the first of ROOT/NAME-0, ROOT/NAME-1, ... that nobody has, making it if need be. `name`
  /// may hold any characters. The error names the path.
  static absl::StatusOr<ClaimedDirectory> Claim(const std::string& root, const std::string& name);

  const std::string& path() const { return path_; }
  /// Random, made with the directory; names it for as long as it exists.
  const std::string& id() const { return id_; }
  /// Whether this claim made it: no master knows its id yet.
  bool is_new() const { return is_new_; }

 private:
  ClaimedDirectory(std::string path, std::string id, bool is_new, ScopedFd lock)
      : path_(std::move(path)), id_(std::move(id)), is_new_(is_new), lock_(std::move(lock)) {}

  std::string path_, id_;
  bool is_new_;
  ScopedFd lock_;
};

}  // namespace tandem::store
