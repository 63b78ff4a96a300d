#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// The token sequences that spell bad words, as vLLM makes them: each word as it begins a text and,
/// where a space before it changes the first token but not the count, as it stands within one.
/// InvalidArgument names bad_words if a word has no tokens or there are more than 128 sequences.
absl::StatusOr<std::vector<std::vector<int32_t>>> BadWordTokens(
    const std::vector<std::string>& words, const model::Tokenizer& tokenizer);

}  // namespace tandem::api
