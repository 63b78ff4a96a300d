#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/bounded_text.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/text_functions.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Result Trim(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"chars"}));
  ASSIGN_OR_RETURN(const std::string text, ToText(value, runtime.budget()));
  std::optional<std::string_view> characters;
  if (bound[0] != nullptr && !bound[0]->IsNone()) {
    ASSIGN_OR_RETURN(characters, StringArgument(bound[0], "chars"));
  }
  return runtime.Text(std::string(Strip(text, characters, Side::kBoth)));
}

template <std::string (*kConvert)(std::string_view)>
Result Convert(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(const std::string text, ToText(value, runtime.budget()));
  return runtime.Text(kConvert(text));
}

Result ReplaceFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"old", "new", "count"}, 2));
  ASSIGN_OR_RETURN(const std::string text, ToText(value, runtime.budget()));
  ASSIGN_OR_RETURN(const std::string from, ToText(*bound[0], runtime.budget()));
  ASSIGN_OR_RETURN(const std::string to, ToText(*bound[1], runtime.budget()));
  ASSIGN_OR_RETURN(const int64_t most, IntegerArgument(bound[2], "count", -1));
  return ReplaceText(runtime, text, from, to, most);
}

/// White space put before lines: a number of blanks, or a text.
absl::StatusOr<std::string> Indentation(const Value* width) {
  constexpr int64_t kMaxWidth = 1000;
  if (width != nullptr && width->AsString() != nullptr) return *width->AsString();
  ASSIGN_OR_RETURN(const int64_t blanks, IntegerArgument(width, "width", 4));
  if (blanks < 0 || blanks > kMaxWidth) {
    return Problem("the argument \"width\" is out of range; accepted: 0 to 1000");
  }
  return std::string(static_cast<size_t>(blanks), ' ');
}

Result Indent(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"width", "first", "blank"}));
  ASSIGN_OR_RETURN(const std::string indentation, Indentation(bound[0]));
  const bool first = bound[1] != nullptr && bound[1]->IsTrue();
  const bool blank = bound[2] != nullptr && bound[2]->IsTrue();
  ASSIGN_OR_RETURN(std::string text, ToText(value, runtime.budget()));
  text += '\n';
  BoundedText indented;
  bool is_first = true;
  for (const std::string_view line : SplitLines(text, false)) {
    if (!is_first) indented.Append("\n");
    if (is_first ? first : blank || !line.empty()) indented.Append(indentation);
    indented.Append(line);
    is_first = false;
  }
  ASSIGN_OR_RETURN(std::string result, indented.Take(runtime.budget()));
  return Value(std::move(result));
}

Result Escape(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(const std::string text, ToText(value, runtime.budget()));
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return runtime.Text(std::move(escaped));
}

constexpr Filter kFilters[] = {
    {"trim", Trim},
    {"upper", Convert<Upper>},
    {"lower", Convert<Lower>},
    {"capitalize", Convert<Capitalize>},
    {"title", Convert<Title>},
    {"replace", ReplaceFilter},
    {"indent", Indent},
    {"escape", Escape},
    {"e", Escape},
};

}  // namespace

std::span<const Filter> TextFilters() { return kFilters; }

}  // namespace tandem::model::jinja
