#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/chat_template/render_budget.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// The arguments of Python's json.dumps.
struct JsonStyle {
  std::optional<std::string> indent;  ///< White space of one level; everything on one line without.
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;
  bool sort_keys = false;
};

/// `value` as json.dumps writes it. A problem names a value that JSON has no form for.
absl::StatusOr<std::string> ToJsonText(const Value& value, const JsonStyle& style,
                                       RenderBudget& budget);

}  // namespace tandem::model::jinja
