#pragma once

#include "absl/status/statusor.h"
#include "model/gguf_reader.h"
#include "model/model_config.h"

namespace tandem::model {

/// The config of a GGUF file of architecture "llama". InvalidArgument names the metadata key, its
/// value and what is accepted, also for variants that would compute something else (experts, scaled
/// rotary positions).
absl::StatusOr<ModelConfig> ReadGgufConfig(const GgufContents& contents);

}  // namespace tandem::model
