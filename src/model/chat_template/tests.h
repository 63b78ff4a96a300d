#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/arguments.h"
#include "model/chat_template/runtime.h"

namespace tandem::model::jinja {

/// value is name(arguments)
struct Test {
  std::string_view name;
  absl::StatusOr<bool> (*holds)(Runtime& runtime, const Value& value, const Arguments& arguments);
};

/// Null if there is none of that name.
const Test* FindTest(std::string_view name);

}  // namespace tandem::model::jinja
