#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/tokenizer.h"

namespace tandem::model {

/// What a checkpoint's tokenizer_config.json says.
struct TokenizerConfig {
  SpecialTokenNames special_tokens;
  std::optional<std::string> chat_template;  ///< Of several, the one named "default".
};

/// Reads the text of a tokenizer_config.json. InvalidArgument names the field.
absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(std::string_view json);

}  // namespace tandem::model
