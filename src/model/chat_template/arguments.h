#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// The evaluated arguments of a call.
class Arguments {
 public:
  Arguments() = default;
  Arguments(std::vector<Value> positional, std::vector<DictValue::Member> keyword)
      : positional_(std::move(positional)), keyword_(std::move(keyword)) {}

  const std::vector<Value>& positional() const { return positional_; }
  const std::vector<DictValue::Member>& keyword() const { return keyword_; }

  /// Without the first `count` positional ones.
  Arguments WithoutFirst(size_t count) const;

  /// One value for each name: the argument that stands at its place or carries its name, else null.
  /// The first `required` must be there. Problems: too many arguments, a name not in the list, one
  /// missing. The values are the arguments' own, so that a temporary binds none.
  absl::StatusOr<std::vector<const Value*>> Bind(std::initializer_list<std::string_view> names,
                                                 size_t required = 0) const&;
  absl::StatusOr<std::vector<const Value*>> Bind(std::initializer_list<std::string_view> names,
                                                 size_t required = 0) && = delete;

 private:
  std::vector<Value> positional_;
  std::vector<DictValue::Member> keyword_;
};

/// The argument as the type asked for, or `fallback` if it is null or none. A problem names the
/// argument and its type.
absl::StatusOr<std::string_view> StringArgument(const Value* argument, std::string_view name,
                                                std::string_view fallback = {});
absl::StatusOr<int64_t> IntegerArgument(const Value* argument, std::string_view name,
                                        int64_t fallback);

}  // namespace tandem::model::jinja
