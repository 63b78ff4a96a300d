#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/token.h"

namespace tandem::model::jinja {

/// Cuts a template into tokens, with Jinja's white space rules under trim_blocks and lstrip_blocks,
/// the options that chat templates are written for. Comments leave no token; the last token is
/// kEnd.
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace tandem::model::jinja
