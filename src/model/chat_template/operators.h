#pragma once

#include "absl/status/statusor.h"
#include "model/chat_template/expression.h"
#include "model/chat_template/runtime.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// Python's operators. kAnd and kOr, which do not always need their right side, are not among them.
absl::StatusOr<Value> Apply(Runtime& runtime, BinaryOperator op, const Value& left,
                            const Value& right);
absl::StatusOr<Value> Apply(UnaryOperator op, const Value& operand);

/// left comparison right. A problem if values of these types have no order, or nothing in them.
absl::StatusOr<bool> Compare(Runtime& runtime, Comparison comparison, const Value& left,
                             const Value& right);

/// Whether left comes before right, by Python's order.
absl::StatusOr<bool> IsLess(Runtime& runtime, const Value& left, const Value& right);
absl::StatusOr<bool> IsEqual(Runtime& runtime, const Value& left, const Value& right);

}  // namespace tandem::model::jinja
