#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/gguf_metadata.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/vocabulary.h"

namespace tandem::model {

/// GGML's types of tokens (tokenizer.ggml.token_type).
enum class GgufTokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
};

/// What both kinds of tokenizers in GGUF metadata have. Views point into the file.
struct GgufVocabulary {
  std::vector<std::string_view> tokens;  ///< By id.
  std::vector<GgufTokenType> types;      ///< By id; any number that the file gives.
  TokenIds ids;
  std::vector<AddedToken> added;  ///< Those that stand in a text as they are.
  int32_t bos_token_id = -1;
  int32_t eos_token_id = -1;
  std::vector<int32_t> prefix;  ///< What add_bos_token and add_eos_token put before a text...
  std::vector<int32_t> suffix;  ///< ... and behind it.
};

/// `special` are the types whose tokens are left out of decoded text on demand; they are added
/// tokens, as user-defined ones are. `adds_bos` holds where the file does not say. InvalidArgument
/// names the key, its value and what is accepted.
absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufMetadata& metadata,
                                                  std::span<const GgufTokenType> special,
                                                  bool adds_bos);

}  // namespace tandem::model
