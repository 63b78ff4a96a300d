#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"

namespace tandem::cli {

/// Tells whoever started this process that it serves, and on which ports: writes {"pid": N,
/// "ports": {name: port}} to `path` in one step (a rename), so that a reader sees all of it or
/// nothing. Does nothing if `path` is empty. The flag is --ready-file, of every role.
absl::Status WriteReadyFile(const std::string& path, const std::map<std::string, int>& ports);

}  // namespace tandem::cli
