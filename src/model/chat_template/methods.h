#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "model/chat_template/arguments.h"
#include "model/chat_template/runtime.h"

namespace tandem::model::jinja {

/// Whether values of the type of `object` have a method of that name.
bool HasMethod(const Value& object, std::string_view name);

/// Whether values of any type have a method of that name.
bool IsMethodName(std::string_view name);

/// object.name(arguments), for a method that there is.
absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& object, std::string_view name,
                                 const Arguments& arguments);

}  // namespace tandem::model::jinja
