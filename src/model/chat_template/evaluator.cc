#include "model/chat_template/evaluator.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/access.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/functions.h"
#include "model/chat_template/methods.h"
#include "model/chat_template/operators.h"
#include "model/chat_template/tests.h"

namespace tandem::model::jinja {

absl::StatusOr<Value> Evaluator::Evaluate(const Expression& expression) {
  const RenderBudget::Recursion recursion(runtime_.budget());
  absl::Status status = recursion.Check();
  if (status.ok()) status = runtime_.budget().Step();
  if (!status.ok()) return WithPosition(std::move(status), expression.position);
  absl::StatusOr<Value> value = std::visit(*this, expression.node);
  if (!value.ok()) return WithPosition(std::move(value).status(), expression.position);
  return value;
}

absl::StatusOr<Value> Evaluator::EvaluateOptional(const ExpressionPtr& expression) {
  if (expression == nullptr) return Value();
  return Evaluate(*expression);
}

absl::Status Evaluator::ChargeText(const Value& value) {
  if (value.AsString() == nullptr) return absl::OkStatus();
  return runtime_.budget().Step(
      static_cast<int64_t>(value.AsString()->size() / RenderBudget::kBytesPerStep));
}

absl::StatusOr<Arguments> Evaluator::EvaluateArguments(const CallArguments& arguments) {
  std::vector<Value> positional;
  for (const ExpressionPtr& argument : arguments.positional) {
    ASSIGN_OR_RETURN(Value value, Evaluate(*argument));
    positional.push_back(std::move(value));
  }
  std::vector<DictValue::Member> keyword;
  for (const KeywordArgument& argument : arguments.keyword) {
    ASSIGN_OR_RETURN(Value value, Evaluate(*argument.value));
    keyword.emplace_back(argument.name, std::move(value));
  }
  return Arguments(std::move(positional), std::move(keyword));
}

absl::StatusOr<Value> Evaluator::operator()(const Literal& literal) { return literal.value; }

absl::StatusOr<Value> Evaluator::operator()(const Name& name) {
  if (const Value* value = scope_.Find(name.name)) return *value;
  if (const Function* function = FindFunction(name.name)) return function;
  return Value(Undefined{fmt::format("there is no variable {}", name.name)});
}

absl::StatusOr<Value> Evaluator::operator()(const ListLiteral& list) {
  std::vector<Value> elements;
  for (const ExpressionPtr& element : list.elements) {
    ASSIGN_OR_RETURN(Value value, Evaluate(*element));
    elements.push_back(std::move(value));
  }
  return runtime_.List(std::move(elements));
}

absl::StatusOr<Value> Evaluator::operator()(const DictLiteral& dict) {
  std::vector<DictValue::Member> members;
  for (const auto& [key_expression, value_expression] : dict.members) {
    ASSIGN_OR_RETURN(const Value key, Evaluate(*key_expression));
    if (key.AsString() == nullptr) {
      return Problem(fmt::format("a dict's key is a {}; accepted: a string", key.TypeName()));
    }
    ASSIGN_OR_RETURN(Value value, Evaluate(*value_expression));
    members.emplace_back(*key.AsString(), std::move(value));
  }
  return runtime_.Dict(std::move(members));
}

absl::StatusOr<Value> Evaluator::operator()(const Unary& unary) {
  ASSIGN_OR_RETURN(const Value operand, Evaluate(*unary.operand));
  return Apply(unary.op, operand);
}

absl::StatusOr<Value> Evaluator::operator()(const Binary& binary) {
  ASSIGN_OR_RETURN(Value left, Evaluate(*binary.left));
  if (binary.op == BinaryOperator::kAnd) return left.IsTrue() ? Evaluate(*binary.right) : left;
  if (binary.op == BinaryOperator::kOr) return left.IsTrue() ? left : Evaluate(*binary.right);
  ASSIGN_OR_RETURN(const Value right, Evaluate(*binary.right));
  return Apply(runtime_, binary.op, left, right);
}

absl::StatusOr<Value> Evaluator::operator()(const ComparisonChain& chain) {
  ASSIGN_OR_RETURN(Value left, Evaluate(*chain.first));
  for (const auto& [comparison, operand] : chain.rest) {
    ASSIGN_OR_RETURN(Value right, Evaluate(*operand));
    ASSIGN_OR_RETURN(const bool holds, Compare(runtime_, comparison, left, right));
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

absl::StatusOr<Value> Evaluator::operator()(const Conditional& conditional) {
  ASSIGN_OR_RETURN(const Value condition, Evaluate(*conditional.condition));
  if (condition.IsTrue()) return Evaluate(*conditional.value);
  if (conditional.otherwise != nullptr) return Evaluate(*conditional.otherwise);
  return Value(Undefined{"the condition is false and there is no else"});
}

absl::StatusOr<Value> Evaluator::operator()(const Attribute& attribute) {
  ASSIGN_OR_RETURN(const Value object, Evaluate(*attribute.object));
  return GetAttribute(object, attribute.name);
}

absl::StatusOr<Value> Evaluator::operator()(const Subscript& subscript) {
  ASSIGN_OR_RETURN(const Value object, Evaluate(*subscript.object));
  ASSIGN_OR_RETURN(const Value index, Evaluate(*subscript.index));
  RETURN_IF_ERROR(ChargeText(object));
  return GetElement(object, index);
}

absl::StatusOr<Value> Evaluator::operator()(const Slice& slice) {
  ASSIGN_OR_RETURN(const Value object, Evaluate(*slice.object));
  ASSIGN_OR_RETURN(const Value start, EvaluateOptional(slice.start));
  ASSIGN_OR_RETURN(const Value stop, EvaluateOptional(slice.stop));
  ASSIGN_OR_RETURN(const Value step, EvaluateOptional(slice.step));
  RETURN_IF_ERROR(ChargeText(object));
  return GetSlice(runtime_, object, start, stop, step);
}

absl::StatusOr<Value> Evaluator::operator()(const Call& call) {
  Value callee;
  if (const auto* attribute = std::get_if<Attribute>(&call.callee->node)) {
    ASSIGN_OR_RETURN(const Value object, Evaluate(*attribute->object));
    if (HasMethod(object, attribute->name)) {
      ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(call.arguments));
      RETURN_IF_ERROR(ChargeText(object));
      return CallMethod(runtime_, object, attribute->name, arguments);
    }
    ASSIGN_OR_RETURN(callee, GetAttribute(object, attribute->name));
    if (!callee.IsCallable()) {
      return Problem(fmt::format("{} has no method {}", object.TypeName(), attribute->name));
    }
  } else {
    ASSIGN_OR_RETURN(callee, Evaluate(*call.callee));
  }
  if (const Undefined* undefined = callee.AsUndefined()) {
    return Problem(fmt::format("cannot call an undefined value: {}", undefined->hint));
  }
  if (!callee.IsCallable()) {
    return Problem(fmt::format("cannot call a value of type {}", callee.TypeName()));
  }
  ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(call.arguments));
  if (const MacroDefinition* macro = callee.AsMacro()) return runtime_.CallMacro(*macro, arguments);
  return callee.AsFunction()->call(runtime_, arguments);
}

absl::StatusOr<Value> Evaluator::operator()(const FilterCall& filter) {
  ASSIGN_OR_RETURN(const Value operand, Evaluate(*filter.operand));
  return ApplyFilter(filter, operand);
}

absl::StatusOr<Value> Evaluator::ApplyFilter(const FilterCall& filter, const Value& operand) {
  ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(filter.arguments));
  RETURN_IF_ERROR(ChargeText(operand));
  return filter.filter->apply(runtime_, operand, arguments);
}

absl::StatusOr<Value> Evaluator::operator()(const TestCall& test) {
  ASSIGN_OR_RETURN(const Value operand, Evaluate(*test.operand));
  ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(test.arguments));
  RETURN_IF_ERROR(ChargeText(operand));
  ASSIGN_OR_RETURN(const bool holds, test.test->holds(runtime_, operand, arguments));
  return holds != test.negated;
}

}  // namespace tandem::model::jinja
