#include "model/tokenizer/gguf_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/status.h"

namespace tandem::model {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";

/// -1 if the key is absent.
absl::StatusOr<int32_t> TokenId(const GgufMetadata& metadata, std::string_view key,
                                size_t vocabulary) {
  if (!metadata.Has(key)) return -1;
  ASSIGN_OR_RETURN(const int64_t id, metadata.Integer(key));
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} is {}; accepted: 0 to {}", key, id, vocabulary - 1));
  }
  return static_cast<int32_t>(id);
}

/// The types of all tokens; normal ones if the file gives none.
absl::StatusOr<std::vector<GgufTokenType>> ReadTypes(const GgufMetadata& metadata, size_t tokens) {
  if (!metadata.Has(kTypesKey)) {
    return std::vector<GgufTokenType>(tokens, GgufTokenType::kNormal);
  }
  ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, metadata.Integers(kTypesKey));
  if (numbers.size() != tokens) {
    return absl::InvalidArgumentError(
        fmt::format("metadata key {} has {} elements; accepted: {}, one for each token", kTypesKey,
                    numbers.size(), tokens));
  }
  std::vector<GgufTokenType> types;
  types.reserve(tokens);
  for (const int64_t number : numbers) types.push_back(static_cast<GgufTokenType>(number));
  return types;
}

absl::StatusOr<bool> Flag(const GgufMetadata& metadata, std::string_view key, bool fallback) {
  if (!metadata.Has(key)) return fallback;
  return metadata.Bool(key);
}

}  // namespace

absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufMetadata& metadata,
                                                  std::span<const GgufTokenType> special,
                                                  bool adds_bos) {
  GgufVocabulary vocabulary;
  ASSIGN_OR_RETURN(vocabulary.tokens, metadata.Strings(kTokensKey));
  const auto& tokens = vocabulary.tokens;
  if (tokens.empty() || tokens.size() > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(fmt::format(
        "metadata key {} has {} elements; accepted: 1 to 2^31 - 1", kTokensKey, tokens.size()));
  }
  ASSIGN_OR_RETURN(vocabulary.types, ReadTypes(metadata, tokens.size()));
  vocabulary.ids.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const GgufTokenType type = vocabulary.types[i];
    vocabulary.ids.try_emplace(tokens[i], id);
    const bool is_special = std::find(special.begin(), special.end(), type) != special.end();
    if (is_special || type == GgufTokenType::kUserDefined) {
      vocabulary.added.push_back(
          {.id = id, .content = std::string(tokens[i]), .special = is_special});
    }
  }
  ASSIGN_OR_RETURN(vocabulary.bos_token_id,
                   TokenId(metadata, "tokenizer.ggml.bos_token_id", tokens.size()));
  ASSIGN_OR_RETURN(vocabulary.eos_token_id,
                   TokenId(metadata, "tokenizer.ggml.eos_token_id", tokens.size()));
  ASSIGN_OR_RETURN(const bool bos, Flag(metadata, "tokenizer.ggml.add_bos_token", adds_bos));
  ASSIGN_OR_RETURN(const bool eos, Flag(metadata, "tokenizer.ggml.add_eos_token", false));
  if (bos && vocabulary.bos_token_id >= 0) vocabulary.prefix.push_back(vocabulary.bos_token_id);
  if (eos && vocabulary.eos_token_id >= 0) vocabulary.suffix.push_back(vocabulary.eos_token_id);
  return vocabulary;
}

}  // namespace tandem::model
