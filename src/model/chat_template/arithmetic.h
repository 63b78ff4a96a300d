#pragma once

#include "absl/status/statusor.h"
#include "model/chat_template/expression.h"
#include "model/chat_template/number.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

/// left op right by Python's rules; a problem for a division by zero and for an integer beyond 64
/// bits.
absl::StatusOr<Value> Calculate(BinaryOperator op, const Number& left, const Number& right);

}  // namespace tandem::model::jinja
