#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/hub_cache.h"

namespace tandem::model {

/// The GGUF file that `name` points to: the file itself, the only one in a directory, or the only
/// one in a snapshot of the hub's cache. NotFound lists where it looked; InvalidArgument names the
/// files if a directory has several; Unimplemented for a checkpoint in another format.
absl::StatusOr<std::string> LocateCheckpoint(const std::string& name, const HubCache& cache);

}  // namespace tandem::model
