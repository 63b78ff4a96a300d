#pragma once

#include "absl/status/statusor.h"
#include "model/gguf_reader.h"
#include "model/model_config.h"

namespace tandem::model {

/// The config of a GGUF file of one of the known architectures. InvalidArgument names the metadata
/// key, its value and what is accepted, also for variants that would compute something else
/// (experts, say).
absl::StatusOr<ModelConfig> ReadGgufConfig(const GgufContents& contents);

}  // namespace tandem::model
