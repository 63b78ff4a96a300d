#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/chat_template/source_position.h"
#include "model/chat_template/value.h"

namespace tandem::model::jinja {

struct Expression;
struct Filter;
struct Test;
using ExpressionPtr = std::unique_ptr<Expression>;

/// name=value in a call.
struct KeywordArgument {
  std::string name;
  ExpressionPtr value;
};

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<KeywordArgument> keyword;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct ListLiteral {
  std::vector<ExpressionPtr> elements;
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> members;
};
enum class UnaryOperator { kNot, kMinus, kPlus };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
enum class BinaryOperator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kConcatenate,
  kAnd,
  kOr,
};
struct Binary {
  BinaryOperator op;
  ExpressionPtr left;
  ExpressionPtr right;
};
enum class Comparison {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kIn,
  kNotIn
};
/// first op operand op operand..., each with its left neighbour.
struct ComparisonChain {
  ExpressionPtr first;
  std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
/// value if condition else otherwise; undefined without an otherwise.
struct Conditional {
  ExpressionPtr condition;
  ExpressionPtr value;
  ExpressionPtr otherwise;
};
/// object.name
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
/// object[index]
struct Subscript {
  ExpressionPtr object;
  ExpressionPtr index;
};
/// object[start:stop:step]; absent parts are null.
struct Slice {
  ExpressionPtr object;
  ExpressionPtr start;
  ExpressionPtr stop;
  ExpressionPtr step;
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
/// operand | filter(arguments). Without an operand inside a filter block.
struct FilterCall {
  ExpressionPtr operand;
  const Filter* filter = nullptr;
  CallArguments arguments;
};
/// operand is [not] test(arguments)
struct TestCall {
  ExpressionPtr operand;
  const Test* test = nullptr;
  CallArguments arguments;
  bool negated = false;
};

using ExpressionNode =
    std::variant<Literal, Name, ListLiteral, DictLiteral, Unary, Binary, ComparisonChain,
                 Conditional, Attribute, Subscript, Slice, Call, FilterCall, TestCall>;

struct Expression {
  ExpressionNode node;
  SourcePosition position;
  int depth = 1;  ///< Levels of the tree below and with this node.
};

}  // namespace tandem::model::jinja
