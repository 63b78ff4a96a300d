#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::model::hub {

/// A model of the hub at one of its revisions.
struct ModelReference {
  std::string name;               ///< "ORG/NAME", or "NAME" for the oldest models.
  std::string revision = "main";  ///< A branch, a tag or a commit.
};

/// Reads "ORG/NAME[@REVISION]". InvalidArgument tells what is wrong with which part.
absl::StatusOr<ModelReference> ParseModelReference(std::string_view text);

/// Whether `path` names a file below a directory, and nothing outside it: its parts are neither
/// empty nor "." or "..", and it holds no control characters and no backslashes.
bool IsPathBelow(std::string_view path);

}  // namespace tandem::model::hub
