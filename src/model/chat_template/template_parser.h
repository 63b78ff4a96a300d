#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/statement.h"

namespace tandem::model::jinja {

/// Parses a whole template. InvalidArgument with line and column for a wrong or unknown construct.
absl::StatusOr<Block> ParseTemplate(std::string_view source);

}  // namespace tandem::model::jinja
