#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/source_reader.h"
#include "model/chat_template/token.h"

namespace tandem::model::jinja {

/// Reads the next token inside a tag: a name, number, string or operator.
absl::StatusOr<Token> ReadExpressionToken(SourceReader& reader);

}  // namespace tandem::model::jinja
