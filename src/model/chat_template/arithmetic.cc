#include "model/chat_template/arithmetic.h"

#include <cmath>
#include <limits>

#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {
namespace {

absl::Status Overflow() { return Problem("an integer gets larger than 2^63 - 1"); }

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Overflow();
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) return Overflow();
  }
  return result;
}

absl::StatusOr<Value> CalculateIntegers(BinaryOperator op, int64_t left, int64_t right) {
  int64_t result = 0;
  switch (op) {
    case BinaryOperator::kAdd:
      if (__builtin_add_overflow(left, right, &result)) return Overflow();
      return result;
    case BinaryOperator::kSubtract:
      if (__builtin_sub_overflow(left, right, &result)) return Overflow();
      return result;
    case BinaryOperator::kMultiply:
      if (__builtin_mul_overflow(left, right, &result)) return Overflow();
      return result;
    case BinaryOperator::kFloorDivide:
      if (left == std::numeric_limits<int64_t>::min() && right == -1) return Overflow();
      return left / right - (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0);
    default: {
      if (right == -1) return int64_t{0};
      const int64_t remainder = left % right;
      return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
    }
  }
}

absl::StatusOr<Value> CalculateFloats(BinaryOperator op, double left, double right) {
  switch (op) {
    case BinaryOperator::kAdd:
      return left + right;
    case BinaryOperator::kSubtract:
      return left - right;
    case BinaryOperator::kMultiply:
      return left * right;
    case BinaryOperator::kDivide:
      return left / right;
    case BinaryOperator::kFloorDivide:
      return std::floor(left / right);
    case BinaryOperator::kPower:
      return std::pow(left, right);
    default: {
      const double remainder = std::fmod(left, right);
      return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
    }
  }
}

}  // namespace

absl::StatusOr<Value> Calculate(BinaryOperator op, const Number& left, const Number& right) {
  const bool divides = op == BinaryOperator::kDivide || op == BinaryOperator::kFloorDivide ||
                       op == BinaryOperator::kModulo;
  if (divides && right.real == 0) return Problem("division by zero");
  if (left.is_float || right.is_float || op == BinaryOperator::kDivide) {
    return CalculateFloats(op, left.real, right.real);
  }
  if (op == BinaryOperator::kPower) {
    if (right.integer < 0) return CalculateFloats(op, left.real, right.real);
    return IntegerPower(left.integer, right.integer);
  }
  return CalculateIntegers(op, left.integer, right.integer);
}

}  // namespace tandem::model::jinja
