#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/chat_template/render_budget.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// Python's str(value): what {{ value }} prints. Nothing for an undefined value.
absl::StatusOr<std::string> ToText(const Value& value, RenderBudget& budget);

/// Python's repr of a float: the shortest text that reads back the same.
std::string FloatText(double value);

}  // namespace tandem::model::jinja
