#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/chat_template/expression.h"
#include "model/chat_template/token_stream.h"

namespace tandem::model::jinja {

/// A function or method that is called by its name.
struct CalledName {
  std::string name;
  SourcePosition position;
  bool is_method = false;
};

/// Parses expressions out of a stream of tokens, with Jinja's precedence. Trees deeper than a bound
/// are refused, so that walking them cannot exhaust the stack.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  absl::StatusOr<ExpressionPtr> Parse();
  /// An expression, or several with commas between them, which make a list.
  absl::StatusOr<ExpressionPtr> ParseTuple();
  /// Without "a if b else c" at its top: what stands before the "if" of a for statement.
  absl::StatusOr<ExpressionPtr> ParseOr();
  /// A filter's name and arguments, as in a filter block.
  absl::StatusOr<FilterCall> ParseFilter();

  /// What the expressions so far call.
  const std::vector<CalledName>& called() const { return called_; }
  /// Names of which they ask whether they are defined.
  const std::vector<std::string>& asked() const { return asked_; }

 private:
  using Level = absl::StatusOr<ExpressionPtr> (ExpressionParser::*)();
  struct BinarySymbol {
    std::string_view symbol;
    BinaryOperator op;
  };

  absl::StatusOr<ExpressionPtr> ParseBinary(std::span<const BinarySymbol> symbols, Level operand);
  absl::StatusOr<ExpressionPtr> ParseAnd();
  absl::StatusOr<ExpressionPtr> ParseNot();
  absl::StatusOr<ExpressionPtr> ParseComparison();
  absl::StatusOr<ExpressionPtr> ParseSum();
  absl::StatusOr<ExpressionPtr> ParseConcatenation();
  absl::StatusOr<ExpressionPtr> ParseProduct();
  absl::StatusOr<ExpressionPtr> ParsePower();
  absl::StatusOr<ExpressionPtr> ParseUnary();
  absl::StatusOr<ExpressionPtr> ParseSignedOperand();
  absl::StatusOr<ExpressionPtr> ParsePostfix();
  absl::StatusOr<ExpressionPtr> ParsePrimary();
  absl::StatusOr<ExpressionPtr> ParseName();
  absl::StatusOr<ExpressionPtr> ParseNumber();
  absl::StatusOr<ExpressionPtr> ParseText();
  absl::StatusOr<ExpressionPtr> ParseParentheses();
  absl::StatusOr<ExpressionPtr> ParseList();
  absl::StatusOr<ExpressionPtr> ParseDict();
  absl::StatusOr<ExpressionPtr> ParseSubscript(ExpressionPtr object);
  absl::StatusOr<ExpressionPtr> ParseFilters(ExpressionPtr operand);
  absl::StatusOr<ExpressionPtr> ParseTest(ExpressionPtr operand);
  absl::StatusOr<CallArguments> ParseArguments();
  absl::StatusOr<CallArguments> ParseTestArguments();
  bool StartsTestArgument() const;

  absl::StatusOr<ExpressionPtr> Make(ExpressionNode node, SourcePosition position);
  absl::StatusOr<ExpressionPtr> MakeCall(ExpressionPtr callee, CallArguments arguments,
                                         SourcePosition position);

  TokenStream& tokens_;
  std::vector<CalledName> called_;
  std::vector<std::string> asked_;
  int open_ = 0;  ///< Expressions being parsed, one inside the other.
};

}  // namespace tandem::model::jinja
