#include "model/chat_template/methods.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/bounded_text.h"
#include "model/chat_template/loop_state.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/text_functions.h"
#include "model/tokenizer/unicode.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model::jinja {
namespace {

using Result = absl::StatusOr<Value>;

struct Method {
  std::string_view name;
  Result (*call)(Runtime& runtime, const Value& object, const Arguments& arguments);
};

Result ListOf(Runtime& runtime, const std::vector<std::string_view>& parts) {
  std::vector<Value> elements;
  elements.reserve(parts.size());
  for (const std::string_view part : parts) elements.emplace_back(part);
  return runtime.List(std::move(elements));
}

template <bool kFromRight>
Result SplitMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"sep", "maxsplit"}));
  ASSIGN_OR_RETURN(const int64_t most, IntegerArgument(bound[1], "maxsplit", -1));
  const std::string& text = *object.AsString();
  if (bound[0] == nullptr || bound[0]->IsNone()) {
    if (kFromRight && most >= 0) return Problem("rsplit: maxsplit without sep is not supported");
    return ListOf(runtime, SplitAtSpace(text, most));
  }
  ASSIGN_OR_RETURN(const std::string_view separator, StringArgument(bound[0], "sep"));
  if (separator.empty()) return Problem("split: the separator is empty");
  return ListOf(runtime,
                kFromRight ? SplitFromRight(text, separator, most) : Split(text, separator, most));
}

Result SplitLinesMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"keepends"}));
  return ListOf(runtime, SplitLines(*object.AsString(), bound[0] != nullptr && bound[0]->IsTrue()));
}

template <Side kSide>
Result StripMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"chars"}));
  std::optional<std::string_view> characters;
  if (bound[0] != nullptr && !bound[0]->IsNone()) {
    ASSIGN_OR_RETURN(characters, StringArgument(bound[0], "chars"));
  }
  return runtime.Text(std::string(Strip(*object.AsString(), characters, kSide)));
}

template <bool kAtEnd>
Result AffixMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"affix"}, 1));
  const std::string& text = *object.AsString();
  std::vector<Value> affixes = {*bound[0]};
  if (bound[0]->AsList() != nullptr) {
    ASSIGN_OR_RETURN(affixes, Elements(runtime, *bound[0]));
  }
  for (const Value& affix : affixes) {
    ASSIGN_OR_RETURN(const std::string_view part, StringArgument(&affix, "affix"));
    if (kAtEnd ? text.ends_with(part) : text.starts_with(part)) return true;
  }
  return false;
}

Result ReplaceMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"old", "new", "count"}, 2));
  ASSIGN_OR_RETURN(const std::string_view from, StringArgument(bound[0], "old"));
  ASSIGN_OR_RETURN(const std::string_view to, StringArgument(bound[1], "new"));
  ASSIGN_OR_RETURN(const int64_t most, IntegerArgument(bound[2], "count", -1));
  return ReplaceText(runtime, *object.AsString(), from, to, most);
}

template <std::string (*kConvert)(std::string_view)>
Result ConvertMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  return runtime.Text(kConvert(*object.AsString()));
}

template <bool kFromRight>
Result FindMethod(Runtime&, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"sub"}, 1));
  ASSIGN_OR_RETURN(const std::string_view part, StringArgument(bound[0], "sub"));
  const std::string_view text = *object.AsString();
  const size_t found = kFromRight ? text.rfind(part) : text.find(part);
  return found == text.npos ? int64_t{-1} : CharacterCount(text.substr(0, found));
}

Result CountMethod(Runtime&, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"sub"}, 1));
  ASSIGN_OR_RETURN(const std::string_view part, StringArgument(bound[0], "sub"));
  return CountOccurrences(*object.AsString(), part);
}

Result JoinMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"iterable"}, 1));
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(runtime, *bound[0]));
  BoundedText joined;
  for (size_t i = 0; i < elements.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string_view part, StringArgument(&elements[i], "iterable"));
    if (i > 0) joined.Append(*object.AsString());
    joined.Append(part);
  }
  ASSIGN_OR_RETURN(std::string text, joined.Take(runtime.budget()));
  return Value(std::move(text));
}

/// Whether the text is not empty and all of its characters fulfil `kFulfils`.
template <bool (*kFulfils)(uint32_t)>
Result AllMethod(Runtime&, const Value& object, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  std::string_view text = *object.AsString();
  if (text.empty()) return false;
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    if (!kFulfils(character.code_point)) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

Result ItemsMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  return Items(runtime, *object.AsDict());
}

Result KeysMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(std::vector<Value> keys, Elements(runtime, object));
  return runtime.List(std::move(keys));
}

Result ValuesMethod(Runtime& runtime, const Value& object, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  std::vector<Value> values;
  for (const auto& [key, value] : object.AsDict()->members()) values.push_back(value);
  return runtime.List(std::move(values));
}

Result GetMethod(Runtime&, const Value& object, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"key", "default"}, 1));
  const std::string* key = bound[0]->AsString();
  const Value* found = key == nullptr ? nullptr : object.AsDict()->Find(*key);
  if (found != nullptr) return *found;
  return bound[1] == nullptr ? Value() : *bound[1];
}

Result CycleMethod(Runtime&, const Value& object, const Arguments& arguments) {
  const std::vector<Value>& values = arguments.positional();
  if (values.empty()) return Problem("loop.cycle: no arguments");
  return values[object.AsLoop()->index() % values.size()];
}

constexpr Method kTextMethods[] = {
    {"split", SplitMethod<false>},
    {"rsplit", SplitMethod<true>},
    {"splitlines", SplitLinesMethod},
    {"strip", StripMethod<Side::kBoth>},
    {"lstrip", StripMethod<Side::kLeft>},
    {"rstrip", StripMethod<Side::kRight>},
    {"startswith", AffixMethod<false>},
    {"endswith", AffixMethod<true>},
    {"replace", ReplaceMethod},
    {"upper", ConvertMethod<Upper>},
    {"lower", ConvertMethod<Lower>},
    {"capitalize", ConvertMethod<Capitalize>},
    {"title", ConvertMethod<Title>},
    {"find", FindMethod<false>},
    {"rfind", FindMethod<true>},
    {"count", CountMethod},
    {"join", JoinMethod},
    {"isdigit", AllMethod<IsNumber>},
    {"isspace", AllMethod<IsWhiteSpace>},
};
constexpr Method kDictMethods[] = {
    {"items", ItemsMethod}, {"keys", KeysMethod}, {"values", ValuesMethod}, {"get", GetMethod}};
constexpr Method kLoopMethods[] = {{"cycle", CycleMethod}};

const Method* Find(const Value& object, std::string_view name) {
  std::span<const Method> methods;
  if (object.AsString() != nullptr) methods = kTextMethods;
  if (object.AsDict() != nullptr) methods = kDictMethods;
  if (object.AsLoop() != nullptr) methods = kLoopMethods;
  for (const Method& method : methods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

bool HasMethod(const Value& object, std::string_view name) { return Find(object, name) != nullptr; }

bool IsMethodName(std::string_view name) {
  for (const std::span<const Method> methods :
       {std::span<const Method>(kTextMethods), std::span<const Method>(kDictMethods),
        std::span<const Method>(kLoopMethods)}) {
    for (const Method& method : methods) {
      if (method.name == name) return true;
    }
  }
  return false;
}

absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& object, std::string_view name,
                                 const Arguments& arguments) {
  return Find(object, name)->call(runtime, object, arguments);
}

}  // namespace tandem::model::jinja
