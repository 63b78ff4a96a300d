#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/runtime.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// object.name: undefined if it has none. A problem if the object itself is undefined.
absl::StatusOr<Value> GetAttribute(const Value& object, std::string_view name);

/// object[index]: undefined if there is no such element. A problem if the object is undefined.
absl::StatusOr<Value> GetElement(const Value& object, const Value& index);

/// The attribute at a path like "function.name", as filters take it; numbers are indices.
absl::StatusOr<Value> GetPath(const Value& object, const Value& path);

/// object[start:stop:step] of a list or a string, with Python's rules; none leaves a bound open.
absl::StatusOr<Value> GetSlice(Runtime& runtime, const Value& object, const Value& start,
                               const Value& stop, const Value& step);

/// What a for statement over the value visits: elements, keys, characters; nothing if it is
/// undefined.
absl::StatusOr<std::vector<Value>> Elements(Runtime& runtime, const Value& value);

/// A dict's members as pairs [key, value].
absl::StatusOr<Value> Items(Runtime& runtime, const DictValue& dict);

/// Replaces the first `most` occurrences of `from` in a text, all if negative.
absl::StatusOr<Value> ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                                  std::string_view to, int64_t most);

/// Python's len(); 0 if undefined. A problem for a value without a length.
absl::StatusOr<int64_t> Length(const Value& value);

}  // namespace tandem::model::jinja
