#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/json_text.h"
#include "model/chat_template/number.h"
#include "model/chat_template/operators.h"
#include "model/chat_template/text_functions.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {
namespace {

using Result = absl::StatusOr<Value>;

constexpr int64_t kMaxIndent = 100;

/// json.dumps(indent=...): a number of blanks, a text, or none.
absl::Status ReadIndent(const Value* indent, JsonStyle* style) {
  if (indent == nullptr || indent->IsNone()) return absl::OkStatus();
  style->item_separator.assign(1, ',');
  if (indent->AsString() != nullptr) {
    style->indent = *indent->AsString();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const int64_t blanks, IntegerArgument(indent, "indent", 0));
  if (blanks > kMaxIndent) return Problem("the argument \"indent\" is larger than 100");
  style->indent = std::string(blanks > 0 ? static_cast<size_t>(blanks) : 0, ' ');
  return absl::OkStatus();
}

absl::Status ReadSeparators(Runtime& runtime, const Value* separators, JsonStyle* style) {
  if (separators == nullptr || separators->IsNone()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<Value> both, Elements(runtime, *separators));
  if (both.size() != 2) return Problem("tojson: accepted: two separators");
  ASSIGN_OR_RETURN(const std::string_view item, StringArgument(&both[0], "separators"));
  ASSIGN_OR_RETURN(const std::string_view key, StringArgument(&both[1], "separators"));
  style->item_separator = std::string(item);
  style->key_separator = std::string(key);
  return absl::OkStatus();
}

/// With the arguments that transformers gives its filter.
Result ToJson(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound,
                   arguments.Bind({"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ensure_ascii = bound[0] != nullptr && bound[0]->IsTrue();
  RETURN_IF_ERROR(ReadIndent(bound[1], &style));
  RETURN_IF_ERROR(ReadSeparators(runtime, bound[2], &style));
  style.sort_keys = bound[3] != nullptr && bound[3]->IsTrue();
  ASSIGN_OR_RETURN(std::string text, ToJsonText(value, style, runtime.budget()));
  return Value(std::move(text));
}

Result String(Runtime& runtime, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(std::string text, ToText(value, runtime.budget()));
  return Value(std::move(text));
}

Result Safe(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  return value;
}

/// The whole text as a number; nothing if it is none.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  text = Strip(text, std::nullopt, Side::kBoth);
  if (text.starts_with('+')) text.remove_prefix(1);
  T number{};
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

constexpr double kIntegerLimit = 9.2e18;

Result Int(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"default", "base"}));
  const Value fallback = bound[0] == nullptr ? Value(int64_t{0}) : *bound[0];
  ASSIGN_OR_RETURN(const int64_t base, IntegerArgument(bound[1], "base", 10));
  if (base != 10) return Problem(fmt::format("int: base is {}; accepted: 10", base));
  const auto number = AsNumber(value);
  if (number && !number->is_float) return number->integer;
  std::optional<double> real;
  if (number) real = number->real;
  if (const std::string* text = value.AsString()) {
    if (const auto integer = ParseNumber<int64_t>(*text)) return *integer;
    real = ParseNumber<double>(*text);
  }
  if (!real || !std::isfinite(*real) || std::abs(*real) > kIntegerLimit) return fallback;
  return static_cast<int64_t>(*real);
}

Result Float(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"default"}));
  if (const auto number = AsNumber(value)) return number->real;
  if (const std::string* text = value.AsString()) {
    if (const auto real = ParseNumber<double>(*text)) return *real;
  }
  return bound[0] == nullptr ? Value(0.0) : *bound[0];
}

Result Abs(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  const auto number = AsNumber(value);
  if (!number) return Problem(fmt::format("abs: a value of type {}", value.TypeName()));
  if (number->real < 0) return Apply(UnaryOperator::kMinus, value);
  return Apply(UnaryOperator::kPlus, value);
}

Result Round(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"precision", "method"}));
  ASSIGN_OR_RETURN(const int64_t precision, IntegerArgument(bound[0], "precision", 0));
  ASSIGN_OR_RETURN(const std::string_view method, StringArgument(bound[1], "method", "common"));
  const auto number = AsNumber(value);
  if (!number) return Problem(fmt::format("round: a value of type {}", value.TypeName()));
  if (precision < -15 || precision > 15) return Problem("round: accepted precisions: -15 to 15");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return std::ceil(number->real * scale) / scale;
  if (method == "floor") return std::floor(number->real * scale) / scale;
  if (method == "common") return std::nearbyint(number->real * scale) / scale;
  return Problem(fmt::format("round: method is \"{}\"; accepted: common, ceil, floor", method));
}

Result Default(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"default_value", "boolean"}));
  const bool by_truth = bound[1] != nullptr && bound[1]->IsTrue();
  if (!value.IsUndefined() && (!by_truth || value.IsTrue())) return value;
  return bound[0] == nullptr ? Value("") : *bound[0];
}

constexpr Filter kFilters[] = {
    {"tojson", ToJson}, {"string", String}, {"safe", Safe},       {"int", Int},   {"float", Float},
    {"abs", Abs},       {"round", Round},   {"default", Default}, {"d", Default},
};

}  // namespace

std::span<const Filter> ConversionFilters() { return kFilters; }

}  // namespace tandem::model::jinja
