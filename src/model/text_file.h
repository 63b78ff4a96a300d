#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tandem::model {

/// A whole small file of a checkpoint; nothing if there is none. Unavailable if it cannot be read;
/// InvalidArgument if it is larger than 256 MiB.
absl::StatusOr<std::optional<std::string>> ReadTextFile(const std::string& path);

/// InvalidArgument "<path>: <message of status>".
absl::Status InFile(const std::string& path, const absl::Status& status);

}  // namespace tandem::model
