#include "model/chat_template/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/arithmetic.h"
#include "model/chat_template/value_text.h"

namespace tandem::model::jinja {
namespace {

constexpr std::string_view Symbol(BinaryOperator op) {
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**", "~", "and", "or"};
  return kSymbols[static_cast<size_t>(op)];
}

absl::Status Unsupported(std::string_view symbol, const Value& left, const Value& right) {
  for (const Value* value : {&left, &right}) {
    if (const Undefined* undefined = value->AsUndefined()) {
      return Problem(
          fmt::format("cannot apply \"{}\" to an undefined value: {}", symbol, undefined->hint));
    }
  }
  return Problem(
      fmt::format("cannot apply \"{}\" to {} and {}", symbol, left.TypeName(), right.TypeName()));
}

absl::StatusOr<Value> RepeatText(Runtime& runtime, std::string_view text, int64_t count) {
  if (count <= 0 || text.empty()) return Value("");
  if (static_cast<uint64_t>(count) > RenderBudget::kMaxTextBytes) {
    return Problem("a text gets longer than 64 MiB");
  }
  RETURN_IF_ERROR(runtime.budget().Text(text.size() * static_cast<size_t>(count)));
  std::string repeated;
  for (int64_t i = 0; i < count; ++i) repeated += text;
  return Value(std::move(repeated));
}

absl::StatusOr<Value> JoinTexts(Runtime& runtime, std::string_view left, std::string_view right) {
  RETURN_IF_ERROR(runtime.budget().Text(left.size() + right.size()));
  std::string text;
  text.reserve(left.size() + right.size());
  return Value(std::move(text.append(left).append(right)));
}

absl::StatusOr<Value> Concatenate(Runtime& runtime, const Value& left, const Value& right) {
  ASSIGN_OR_RETURN(const std::string head, ToText(left, runtime.budget()));
  ASSIGN_OR_RETURN(const std::string tail, ToText(right, runtime.budget()));
  return JoinTexts(runtime, head, tail);
}

absl::StatusOr<bool> ListsAreEqual(Runtime& runtime, const ListValue& left,
                                   const ListValue& right) {
  if (left.elements().size() != right.elements().size()) return false;
  for (size_t i = 0; i < left.elements().size(); ++i) {
    ASSIGN_OR_RETURN(const bool equal, IsEqual(runtime, left.elements()[i], right.elements()[i]));
    if (!equal) return false;
  }
  return true;
}

absl::StatusOr<bool> DictsAreEqual(Runtime& runtime, const DictValue& left,
                                   const DictValue& right) {
  if (left.members().size() != right.members().size()) return false;
  for (const auto& [key, value] : left.members()) {
    const Value* other = right.Find(key);
    if (other == nullptr) return false;
    ASSIGN_OR_RETURN(const bool equal, IsEqual(runtime, value, *other));
    if (!equal) return false;
  }
  return true;
}

absl::StatusOr<bool> ListIsLess(Runtime& runtime, const ListValue& left, const ListValue& right) {
  const size_t common = std::min(left.elements().size(), right.elements().size());
  for (size_t i = 0; i < common; ++i) {
    ASSIGN_OR_RETURN(const bool equal, IsEqual(runtime, left.elements()[i], right.elements()[i]));
    if (!equal) return IsLess(runtime, left.elements()[i], right.elements()[i]);
  }
  return left.elements().size() < right.elements().size();
}

/// element in container
absl::StatusOr<bool> Contains(Runtime& runtime, const Value& container, const Value& element) {
  if (const std::string* text = container.AsString()) {
    const std::string* part = element.AsString();
    if (part == nullptr) return Unsupported("in", element, container);
    RETURN_IF_ERROR(runtime.budget().Text(text->size()));
    return text->find(*part) != std::string::npos;
  }
  if (const DictValue* dict = container.AsDict()) {
    const std::string* key = element.AsString();
    return key != nullptr && dict->Find(*key) != nullptr;
  }
  ASSIGN_OR_RETURN(const std::vector<Value> elements, Elements(runtime, container));
  for (const Value& candidate : elements) {
    ASSIGN_OR_RETURN(const bool equal, IsEqual(runtime, candidate, element));
    if (equal) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> IsEqual(Runtime& runtime, const Value& left, const Value& right) {
  RETURN_IF_ERROR(runtime.budget().Step());
  const auto left_number = AsNumber(left);
  const auto right_number = AsNumber(right);
  if (left_number && right_number) {
    if (left_number->is_float || right_number->is_float) {
      return left_number->real == right_number->real;
    }
    return left_number->integer == right_number->integer;
  }
  if (left.IsNone() || right.IsNone()) return left.IsNone() && right.IsNone();
  if (left.IsUndefined() || right.IsUndefined()) return left.IsUndefined() && right.IsUndefined();
  if (left.AsString() != nullptr && right.AsString() != nullptr) {
    RETURN_IF_ERROR(
        runtime.budget().Text(std::min(left.AsString()->size(), right.AsString()->size())));
    return *left.AsString() == *right.AsString();
  }
  if (left.AsList() != nullptr && right.AsList() != nullptr) {
    return ListsAreEqual(runtime, *left.AsList(), *right.AsList());
  }
  if (left.AsDict() != nullptr && right.AsDict() != nullptr) {
    return DictsAreEqual(runtime, *left.AsDict(), *right.AsDict());
  }
  if (left.AsNamespace() != nullptr) return left.AsNamespace() == right.AsNamespace();
  if (left.AsMacro() != nullptr) return left.AsMacro() == right.AsMacro();
  return false;
}

absl::StatusOr<bool> IsLess(Runtime& runtime, const Value& left, const Value& right) {
  RETURN_IF_ERROR(runtime.budget().Step());
  const auto left_number = AsNumber(left);
  const auto right_number = AsNumber(right);
  if (left_number && right_number) {
    if (left_number->is_float || right_number->is_float) {
      return left_number->real < right_number->real;
    }
    return left_number->integer < right_number->integer;
  }
  if (left.AsString() != nullptr && right.AsString() != nullptr) {
    RETURN_IF_ERROR(
        runtime.budget().Text(std::min(left.AsString()->size(), right.AsString()->size())));
    return *left.AsString() < *right.AsString();
  }
  if (left.AsList() != nullptr && right.AsList() != nullptr) {
    return ListIsLess(runtime, *left.AsList(), *right.AsList());
  }
  return Unsupported("<", left, right);
}

absl::StatusOr<bool> Compare(Runtime& runtime, Comparison comparison, const Value& left,
                             const Value& right) {
  const auto negate = [](absl::StatusOr<bool> result) {
    if (result.ok()) *result = !*result;
    return result;
  };
  const auto or_equal = [&](absl::StatusOr<bool> result) {
    return result.ok() && !*result ? IsEqual(runtime, left, right) : result;
  };
  switch (comparison) {
    case Comparison::kEqual:
      return IsEqual(runtime, left, right);
    case Comparison::kNotEqual:
      return negate(IsEqual(runtime, left, right));
    case Comparison::kLess:
      return IsLess(runtime, left, right);
    case Comparison::kLessOrEqual:
      return or_equal(IsLess(runtime, left, right));
    case Comparison::kGreater:
      return IsLess(runtime, right, left);
    case Comparison::kGreaterOrEqual:
      return or_equal(IsLess(runtime, right, left));
    case Comparison::kIn:
      return Contains(runtime, right, left);
    case Comparison::kNotIn:
      return negate(Contains(runtime, right, left));
  }
  return false;
}

absl::StatusOr<Value> Apply(Runtime& runtime, BinaryOperator op, const Value& left,
                            const Value& right) {
  if (op == BinaryOperator::kConcatenate) return Concatenate(runtime, left, right);
  const auto left_number = AsNumber(left);
  const auto right_number = AsNumber(right);
  if (left_number && right_number) return Calculate(op, *left_number, *right_number);
  if (op == BinaryOperator::kAdd) {
    if (left.AsString() != nullptr && right.AsString() != nullptr) {
      return JoinTexts(runtime, *left.AsString(), *right.AsString());
    }
    if (left.AsList() != nullptr && right.AsList() != nullptr) {
      std::vector<Value> elements = left.AsList()->elements();
      const std::vector<Value>& tail = right.AsList()->elements();
      elements.insert(elements.end(), tail.begin(), tail.end());
      return runtime.List(std::move(elements));
    }
  }
  if (op == BinaryOperator::kMultiply) {
    if (left.AsString() != nullptr && right.AsInteger() != nullptr) {
      return RepeatText(runtime, *left.AsString(), *right.AsInteger());
    }
    if (left.AsInteger() != nullptr && right.AsString() != nullptr) {
      return RepeatText(runtime, *right.AsString(), *left.AsInteger());
    }
  }
  return Unsupported(Symbol(op), left, right);
}

absl::StatusOr<Value> Apply(UnaryOperator op, const Value& operand) {
  if (op == UnaryOperator::kNot) return !operand.IsTrue();
  const auto number = AsNumber(operand);
  if (!number) {
    return Problem(fmt::format("cannot apply a sign to a value of type {}", operand.TypeName()));
  }
  if (op == UnaryOperator::kPlus) {
    return number->is_float ? Value(number->real) : Value(number->integer);
  }
  return number->is_float ? absl::StatusOr<Value>(-number->real)
                          : Calculate(BinaryOperator::kSubtract, Number{}, *number);
}

}  // namespace tandem::model::jinja
