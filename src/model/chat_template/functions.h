#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/arguments.h"
#include "model/chat_template/runtime.h"

namespace tandem::model::jinja {

/// A function that every template sees: name(arguments).
struct Function {
  std::string_view name;
  absl::StatusOr<Value> (*call)(Runtime& runtime, const Arguments& arguments);
};

/// Null if there is none of that name.
const Function* FindFunction(std::string_view name);

}  // namespace tandem::model::jinja
