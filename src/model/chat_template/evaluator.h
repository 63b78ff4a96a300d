#pragma once

#include "absl/status/statusor.h"
#include "model/chat_template/arguments.h"
#include "model/chat_template/expression.h"
#include "model/chat_template/runtime.h"
#include "model/chat_template/scope.h"

namespace tandem::model::jinja {

/// Computes expressions. Errors carry the position of the smallest expression that went wrong.
class Evaluator {
 public:
  /// Both must outlive the evaluator.
  Evaluator(Runtime& runtime, const Scope& scope) : runtime_(runtime), scope_(scope) {}

  absl::StatusOr<Value> Evaluate(const Expression& expression);

  /// Applies a filter, whose operand is already computed.
  absl::StatusOr<Value> ApplyFilter(const FilterCall& filter, const Value& operand);

  absl::StatusOr<Value> operator()(const Literal& literal);
  absl::StatusOr<Value> operator()(const Name& name);
  absl::StatusOr<Value> operator()(const ListLiteral& list);
  absl::StatusOr<Value> operator()(const DictLiteral& dict);
  absl::StatusOr<Value> operator()(const Unary& unary);
  absl::StatusOr<Value> operator()(const Binary& binary);
  absl::StatusOr<Value> operator()(const ComparisonChain& chain);
  absl::StatusOr<Value> operator()(const Conditional& conditional);
  absl::StatusOr<Value> operator()(const Attribute& attribute);
  absl::StatusOr<Value> operator()(const Subscript& subscript);
  absl::StatusOr<Value> operator()(const Slice& slice);
  absl::StatusOr<Value> operator()(const Call& call);
  absl::StatusOr<Value> operator()(const FilterCall& filter);
  absl::StatusOr<Value> operator()(const TestCall& test);

 private:
  absl::StatusOr<Arguments> EvaluateArguments(const CallArguments& arguments);
  /// None for a null pointer.
  absl::StatusOr<Value> EvaluateOptional(const ExpressionPtr& expression);
  /// Counts the work of going through a text once.
  absl::Status ChargeText(const Value& value);

  Runtime& runtime_;
  const Scope& scope_;
};

}  // namespace tandem::model::jinja
