#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/chat_template/expression.h"
#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {

struct Statement;
using Block = std::vector<Statement>;

struct TextOutput {
  std::string text;
};
/// {{ expression }}
struct ExpressionOutput {
  ExpressionPtr expression;
};
struct IfBranch {
  ExpressionPtr condition;
  Block body;
};
struct If {
  std::vector<IfBranch> branches;
  Block otherwise;
};
struct For {
  std::vector<std::string> targets;  ///< Several unpack each element.
  ExpressionPtr iterable;
  ExpressionPtr filter;  ///< Null, or what elements must fulfil.
  Block body;
  Block otherwise;  ///< Rendered when there are no elements.
};
/// name, or name.attribute of a namespace.
struct AssignmentTarget {
  std::string name;
  std::string attribute;
};
/// {% set targets = value %}
struct Set {
  std::vector<AssignmentTarget> targets;  ///< Several unpack the value.
  ExpressionPtr value;
};
/// {% set target %}body{% endset %}
struct SetBlock {
  AssignmentTarget target;
  std::vector<FilterCall> filters;
  Block body;
};
struct MacroParameter {
  std::string name;
  ExpressionPtr default_value;  ///< Null if there is none.
};
struct MacroDefinition {
  std::string name;
  std::vector<MacroParameter> parameters;
  Block body;
};
/// {% filter name %}body{% endfilter %}
struct FilterBlock {
  std::vector<FilterCall> filters;
  Block body;
};
/// {% generation %}: marks what the assistant wrote; renders as its body.
struct Generation {
  Block body;
};
struct Break {};
struct Continue {};

using StatementNode = std::variant<TextOutput, ExpressionOutput, If, For, Set, SetBlock,
                                   MacroDefinition, FilterBlock, Generation, Break, Continue>;

struct Statement {
  StatementNode node;
  SourcePosition position;
};

}  // namespace tandem::model::jinja
