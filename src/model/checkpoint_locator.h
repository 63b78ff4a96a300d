#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/hub_cache.h"

namespace tandem::model {

/// What `name` points to: a GGUF file (the file itself, or the only one in a directory), or else a
/// directory with a config.json, which holds a checkpoint of safetensors. A directory is `name`
/// itself or a snapshot of the hub's cache. NotFound lists where it looked; InvalidArgument names
/// the files if a directory has several GGUF files.
absl::StatusOr<std::string> LocateCheckpoint(const std::string& name, const HubCache& cache);

}  // namespace tandem::model
