#include "model/chat_template/tests.h"

#include <fmt/format.h>

#include <string>

#include "base/status.h"
#include "model/chat_template/expression.h"
#include "model/chat_template/number.h"
#include "model/chat_template/operators.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/text_functions.h"

namespace tandem::model::jinja {
namespace {

/// A test of the value alone.
template <bool (*kHolds)(const Value&)>
absl::StatusOr<bool> Unary(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  return kHolds(value);
}

template <Comparison kComparison>
absl::StatusOr<bool> Binary(Runtime& runtime, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"other"}, 1));
  return Compare(runtime, kComparison, value, *bound[0]);
}

absl::StatusOr<int64_t> Remainder(const Value& value, int64_t divisor) {
  const int64_t* number = value.AsInteger();
  if (number == nullptr) {
    return Problem(
        fmt::format("a value of type {} is tested; accepted: an integer", value.TypeName()));
  }
  if (divisor == 0) return Problem("division by zero");
  return divisor == -1 ? 0 : *number % divisor;
}

absl::StatusOr<bool> IsDivisibleBy(Runtime&, const Value& value, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto bound, arguments.Bind({"num"}, 1));
  ASSIGN_OR_RETURN(const int64_t divisor, IntegerArgument(bound[0], "num", 1));
  ASSIGN_OR_RETURN(const int64_t remainder, Remainder(value, divisor));
  return remainder == 0;
}

template <bool kOdd>
absl::StatusOr<bool> HasParity(Runtime&, const Value& value, const Arguments& arguments) {
  RETURN_IF_ERROR(arguments.Bind({}).status());
  ASSIGN_OR_RETURN(const int64_t remainder, Remainder(value, 2));
  return (remainder != 0) == kOdd;
}

bool IsDefined(const Value& value) { return !value.IsUndefined(); }
bool IsUndefined(const Value& value) { return value.IsUndefined(); }
bool IsNone(const Value& value) { return value.IsNone(); }
bool IsString(const Value& value) { return value.AsString() != nullptr; }
bool IsMapping(const Value& value) { return value.AsDict() != nullptr; }
bool IsNumeric(const Value& value) { return AsNumber(value).has_value(); }
bool IsInteger(const Value& value) { return value.AsInteger() != nullptr; }
bool IsFloat(const Value& value) { return value.AsFloat() != nullptr; }
bool IsBoolean(const Value& value) { return value.AsBool() != nullptr; }
bool IsTrue(const Value& value) { return value.AsBool() != nullptr && *value.AsBool(); }
bool IsFalse(const Value& value) { return value.AsBool() != nullptr && !*value.AsBool(); }
bool IsCallable(const Value& value) { return value.IsCallable(); }
/// As Jinja has it: whatever has a length and elements.
bool IsSequence(const Value& value) {
  return value.AsString() != nullptr || value.AsList() != nullptr || value.AsDict() != nullptr;
}
bool IsIterable(const Value& value) { return value.IsUndefined() || IsSequence(value); }
bool IsLower(const Value& value) {
  const std::string* text = value.AsString();
  return text != nullptr && Lower(*text) == *text && Upper(*text) != *text;
}
bool IsUpper(const Value& value) {
  const std::string* text = value.AsString();
  return text != nullptr && Upper(*text) == *text && Lower(*text) != *text;
}

constexpr Test kTests[] = {
    {"defined", Unary<IsDefined>},
    {"undefined", Unary<IsUndefined>},
    {"none", Unary<IsNone>},
    {"string", Unary<IsString>},
    {"mapping", Unary<IsMapping>},
    {"number", Unary<IsNumeric>},
    {"integer", Unary<IsInteger>},
    {"float", Unary<IsFloat>},
    {"boolean", Unary<IsBoolean>},
    {"true", Unary<IsTrue>},
    {"false", Unary<IsFalse>},
    {"callable", Unary<IsCallable>},
    {"sequence", Unary<IsSequence>},
    {"iterable", Unary<IsIterable>},
    {"lower", Unary<IsLower>},
    {"upper", Unary<IsUpper>},
    {"divisibleby", IsDivisibleBy},
    {"odd", HasParity<true>},
    {"even", HasParity<false>},
    {"equalto", Binary<Comparison::kEqual>},
    {"eq", Binary<Comparison::kEqual>},
    {"==", Binary<Comparison::kEqual>},
    {"sameas", Binary<Comparison::kEqual>},
    {"ne", Binary<Comparison::kNotEqual>},
    {"!=", Binary<Comparison::kNotEqual>},
    {"lt", Binary<Comparison::kLess>},
    {"lessthan", Binary<Comparison::kLess>},
    {"<", Binary<Comparison::kLess>},
    {"le", Binary<Comparison::kLessOrEqual>},
    {"<=", Binary<Comparison::kLessOrEqual>},
    {"gt", Binary<Comparison::kGreater>},
    {"greaterthan", Binary<Comparison::kGreater>},
    {">", Binary<Comparison::kGreater>},
    {"ge", Binary<Comparison::kGreaterOrEqual>},
    {">=", Binary<Comparison::kGreaterOrEqual>},
    {"in", Binary<Comparison::kIn>},
};

}  // namespace

const Test* FindTest(std::string_view name) {
  for (const Test& test : kTests) {
    if (test.name == name) return &test;
  }
  return nullptr;
}

}  // namespace tandem::model::jinja
