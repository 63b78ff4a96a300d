#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/tokenizer.h"

namespace tandem::model {

/// A tokenizer of model "llama": SentencePiece's BPE, with scores in place of merges. Like
/// llama.cpp, a text begins with a beginning-of-sequence token and each of its parts between added
/// tokens with a space, unless add_bos_token and add_space_prefix say otherwise.
absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufSentencePieceTokenizer(
    const GgufMetadata& metadata);

}  // namespace tandem::model
