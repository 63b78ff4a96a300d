#include "model/tokenizer/gguf_tokenizer.h"

#include <fmt/format.h>

#include <string_view>

#include "base/status.h"
#include "model/tokenizer/gguf_byte_level_tokenizer.h"
#include "model/tokenizer/gguf_sentencepiece_tokenizer.h"

namespace tandem::model {

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadGgufTokenizer(const GgufMetadata& metadata) {
  constexpr std::string_view kModelKey = "tokenizer.ggml.model";
  ASSIGN_OR_RETURN(const std::string_view model, metadata.String(kModelKey));
  if (model == "gpt2") return ReadGgufByteLevelTokenizer(metadata);
  if (model == "llama") return ReadGgufSentencePieceTokenizer(metadata);
  return absl::InvalidArgumentError(
      fmt::format("metadata key {} is \"{}\"; accepted: \"gpt2\" or \"llama\"", kModelKey, model));
}

}  // namespace tandem::model
