#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/tokenizer.h"

namespace tandem::model {

/// A tokenizer of model "gpt2": byte-level BPE with merges, split as tokenizer.ggml.pre says.
absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufByteLevelTokenizer(const GgufMetadata& metadata);

}  // namespace tandem::model
