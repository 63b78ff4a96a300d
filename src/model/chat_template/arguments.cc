#include "model/chat_template/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {

Arguments Arguments::WithoutFirst(size_t count) const {
  const auto begin = positional_.begin() + std::min(count, positional_.size());
  return Arguments(std::vector<Value>(begin, positional_.end()), keyword_);
}

absl::StatusOr<std::vector<const Value*>> Arguments::Bind(
    std::initializer_list<std::string_view> names, size_t required) const& {
  if (positional_.size() > names.size()) {
    return Problem(
        fmt::format("got {} arguments; accepted: at most {}", positional_.size(), names.size()));
  }
  std::vector<const Value*> bound(names.size(), nullptr);
  for (size_t i = 0; i < positional_.size(); ++i) bound[i] = &positional_[i];
  for (const auto& [name, value] : keyword_) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return Problem(fmt::format("got an unknown argument \"{}\"", name));
    const Value*& slot = bound[static_cast<size_t>(found - names.begin())];
    if (slot != nullptr) return Problem(fmt::format("got the argument \"{}\" twice", name));
    slot = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (bound[i] == nullptr) {
      return Problem(fmt::format("the argument \"{}\" is missing", names.begin()[i]));
    }
  }
  return bound;
}

absl::StatusOr<std::string_view> StringArgument(const Value* argument, std::string_view name,
                                                std::string_view fallback) {
  if (argument == nullptr || argument->IsNone()) return fallback;
  if (const std::string* text = argument->AsString()) return std::string_view(*text);
  return Problem(
      fmt::format("the argument \"{}\" is a {}; accepted: a string", name, argument->TypeName()));
}

absl::StatusOr<int64_t> IntegerArgument(const Value* argument, std::string_view name,
                                        int64_t fallback) {
  if (argument == nullptr || argument->IsNone()) return fallback;
  if (const int64_t* number = argument->AsInteger()) return *number;
  if (const bool* flag = argument->AsBool()) return *flag ? 1 : 0;
  return Problem(
      fmt::format("the argument \"{}\" is a {}; accepted: an integer", name, argument->TypeName()));
}

}  // namespace tandem::model::jinja
