#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/tokenizer.h"

namespace tandem::model {

/// The tokenizer in a GGUF file's metadata (tokenizer.ggml.*), of model "gpt2" or "llama". The
/// result owns what it needs. InvalidArgument names the key, its value and what is accepted.
absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufTokenizer(const GgufMetadata& metadata);

}  // namespace tandem::model
