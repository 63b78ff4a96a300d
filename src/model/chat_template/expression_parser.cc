#include "model/chat_template/expression_parser.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>

#include "base/status.h"
#include "model/chat_template/expression_depth.h"
#include "model/chat_template/filters.h"
#include "model/chat_template/tests.h"

namespace tandem::model::jinja {
namespace {

/// Of the tree; long chains of operators lean to the left.
constexpr int kMaxDepth = 150;
/// Of parentheses and the like while parsing.
constexpr int kMaxOpen = 60;

struct ComparisonSymbol {
  std::string_view symbol;
  Comparison comparison;
};
constexpr ComparisonSymbol kComparisons[] = {
    {"==", Comparison::kEqual},       {"!=", Comparison::kNotEqual},
    {"<=", Comparison::kLessOrEqual}, {">=", Comparison::kGreaterOrEqual},
    {"<", Comparison::kLess},         {">", Comparison::kGreater},
};

/// Takes a comparison's operator, if there is one.
std::optional<Comparison> TakeComparison(TokenStream& tokens) {
  for (const auto& [symbol, comparison] : kComparisons) {
    if (tokens.TakeOperator(symbol)) return comparison;
  }
  if (tokens.TakeName("in")) return Comparison::kIn;
  if (tokens.Peek().IsName("not") && tokens.Peek(1).IsName("in")) {
    tokens.Take();
    tokens.Take();
    return Comparison::kNotIn;
  }
  return std::nullopt;
}

absl::StatusOr<const Filter*> FilterNamed(std::string_view name, SourcePosition position) {
  const Filter* filter = FindFilter(name);
  if (filter == nullptr) return ErrorAt(position, fmt::format("there is no filter \"{}\"", name));
  return filter;
}

absl::StatusOr<const Test*> TestNamed(std::string_view name, SourcePosition position) {
  const Test* test = FindTest(name);
  if (test == nullptr) return ErrorAt(position, fmt::format("there is no test \"{}\"", name));
  return test;
}

/// The positional argument if it is a text that stands in the template, else null.
const std::string* TextAt(const CallArguments& arguments, int at) {
  if (at < 0 || at >= static_cast<int>(arguments.positional.size())) return nullptr;
  const auto* literal = std::get_if<Literal>(&arguments.positional[at]->node);
  return literal == nullptr ? nullptr : literal->value.AsString();
}

/// The filters and tests that a filter's arguments name, as in map('upper').
absl::Status CheckNamesIn(const FilterCall& call) {
  const int filter_argument = call.filter->filter_argument;
  const int test_argument = call.filter->test_argument;
  const auto& positional = call.arguments.positional;
  if (const std::string* filter = TextAt(call.arguments, filter_argument)) {
    RETURN_IF_ERROR(FilterNamed(*filter, positional[filter_argument]->position).status());
  }
  if (const std::string* test = TextAt(call.arguments, test_argument)) {
    RETURN_IF_ERROR(TestNamed(*test, positional[test_argument]->position).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExpressionPtr> ExpressionParser::Make(ExpressionNode node, SourcePosition position) {
  auto expression = std::make_unique<Expression>(Expression{std::move(node), position});
  expression->depth = 1 + DeepestOperand(expression->node);
  if (expression->depth > kMaxDepth)
    return ErrorAt(position, "the expression is nested too deeply");
  return expression;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::Parse() {
  const SourcePosition position = tokens_.Peek().position;
  ASSIGN_OR_RETURN(ExpressionPtr value, ParseOr());
  while (tokens_.TakeName("if")) {
    Conditional conditional;
    ASSIGN_OR_RETURN(conditional.condition, ParseOr());
    conditional.value = std::move(value);
    if (tokens_.TakeName("else")) {
      ASSIGN_OR_RETURN(conditional.otherwise, Parse());
    }
    ASSIGN_OR_RETURN(value, Make(std::move(conditional), position));
  }
  return value;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseTuple() {
  const SourcePosition position = tokens_.Peek().position;
  ASSIGN_OR_RETURN(ExpressionPtr first, Parse());
  if (!tokens_.Peek().IsOperator(",")) return first;
  ListLiteral tuple;
  tuple.elements.push_back(std::move(first));
  while (tokens_.TakeOperator(",")) {
    const Token& next = tokens_.Peek();
    if (next.IsOperator(")") || next.kind == TokenKind::kBlockEnd ||
        next.kind == TokenKind::kVariableEnd) {
      break;
    }
    ASSIGN_OR_RETURN(ExpressionPtr element, Parse());
    tuple.elements.push_back(std::move(element));
  }
  return Make(std::move(tuple), position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseBinary(std::span<const BinarySymbol> symbols,
                                                            Level operand) {
  const SourcePosition position = tokens_.Peek().position;
  ASSIGN_OR_RETURN(ExpressionPtr left, (this->*operand)());
  while (true) {
    const Token& next = tokens_.Peek();
    const BinarySymbol* found = nullptr;
    for (const BinarySymbol& symbol : symbols) {
      if (next.IsOperator(symbol.symbol) || next.IsName(symbol.symbol)) found = &symbol;
    }
    if (found == nullptr) return left;
    tokens_.Take();
    ASSIGN_OR_RETURN(ExpressionPtr right, (this->*operand)());
    ASSIGN_OR_RETURN(left, Make(Binary{found->op, std::move(left), std::move(right)}, position));
  }
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseOr() {
  if (open_ >= kMaxOpen) {
    return ErrorAt(tokens_.Peek().position, "the expression is nested too deeply");
  }
  ++open_;
  static constexpr BinarySymbol kOr[] = {{"or", BinaryOperator::kOr}};
  auto expression = ParseBinary(kOr, &ExpressionParser::ParseAnd);
  --open_;
  return expression;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseAnd() {
  static constexpr BinarySymbol kAnd[] = {{"and", BinaryOperator::kAnd}};
  return ParseBinary(kAnd, &ExpressionParser::ParseNot);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseNot() {
  const SourcePosition position = tokens_.Peek().position;
  int count = 0;
  while (tokens_.TakeName("not")) ++count;
  ASSIGN_OR_RETURN(ExpressionPtr operand, ParseComparison());
  for (; count > 0; --count) {
    ASSIGN_OR_RETURN(operand, Make(Unary{UnaryOperator::kNot, std::move(operand)}, position));
  }
  return operand;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseComparison() {
  const SourcePosition position = tokens_.Peek().position;
  ASSIGN_OR_RETURN(ExpressionPtr first, ParseSum());
  ComparisonChain chain;
  while (const auto comparison = TakeComparison(tokens_)) {
    ASSIGN_OR_RETURN(ExpressionPtr operand, ParseSum());
    chain.rest.emplace_back(*comparison, std::move(operand));
  }
  if (chain.rest.empty()) return first;
  chain.first = std::move(first);
  return Make(std::move(chain), position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseSum() {
  static constexpr BinarySymbol kSymbols[] = {{"+", BinaryOperator::kAdd},
                                              {"-", BinaryOperator::kSubtract}};
  return ParseBinary(kSymbols, &ExpressionParser::ParseConcatenation);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseConcatenation() {
  static constexpr BinarySymbol kSymbols[] = {{"~", BinaryOperator::kConcatenate}};
  return ParseBinary(kSymbols, &ExpressionParser::ParseProduct);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseProduct() {
  static constexpr BinarySymbol kSymbols[] = {{"*", BinaryOperator::kMultiply},
                                              {"/", BinaryOperator::kDivide},
                                              {"//", BinaryOperator::kFloorDivide},
                                              {"%", BinaryOperator::kModulo}};
  return ParseBinary(kSymbols, &ExpressionParser::ParsePower);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParsePower() {
  static constexpr BinarySymbol kSymbols[] = {{"**", BinaryOperator::kPower}};
  return ParseBinary(kSymbols, &ExpressionParser::ParseUnary);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseUnary() {
  ASSIGN_OR_RETURN(ExpressionPtr operand, ParseSignedOperand());
  return ParseFilters(std::move(operand));
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseSignedOperand() {
  const SourcePosition position = tokens_.Peek().position;
  std::vector<UnaryOperator> signs;
  while (tokens_.Peek().IsOperator("-") || tokens_.Peek().IsOperator("+")) {
    signs.push_back(tokens_.Take().text == "-" ? UnaryOperator::kMinus : UnaryOperator::kPlus);
  }
  ASSIGN_OR_RETURN(ExpressionPtr operand, ParsePostfix());
  for (auto sign = signs.rbegin(); sign != signs.rend(); ++sign) {
    ASSIGN_OR_RETURN(operand, Make(Unary{*sign, std::move(operand)}, position));
  }
  return operand;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParsePostfix() {
  ASSIGN_OR_RETURN(ExpressionPtr object, ParsePrimary());
  while (true) {
    const SourcePosition position = tokens_.Peek().position;
    if (tokens_.TakeOperator(".")) {
      const Token& next = tokens_.Peek();
      if (next.kind == TokenKind::kName) {
        ASSIGN_OR_RETURN(object, Make(Attribute{std::move(object), tokens_.Take().text}, position));
      } else if (next.kind == TokenKind::kInteger) {
        ASSIGN_OR_RETURN(ExpressionPtr index, ParseNumber());
        ASSIGN_OR_RETURN(object, Make(Subscript{std::move(object), std::move(index)}, position));
      } else {
        return tokens_.Unexpected("a name or a number");
      }
    } else if (tokens_.TakeOperator("[")) {
      ASSIGN_OR_RETURN(object, ParseSubscript(std::move(object)));
    } else if (tokens_.TakeOperator("(")) {
      ASSIGN_OR_RETURN(CallArguments arguments, ParseArguments());
      ASSIGN_OR_RETURN(object, MakeCall(std::move(object), std::move(arguments), position));
    } else {
      return object;
    }
  }
}

absl::StatusOr<ExpressionPtr> ExpressionParser::MakeCall(ExpressionPtr callee,
                                                         CallArguments arguments,
                                                         SourcePosition position) {
  if (const auto* name = std::get_if<Name>(&callee->node)) {
    called_.push_back({name->name, callee->position});
  } else if (const auto* attribute = std::get_if<Attribute>(&callee->node)) {
    called_.push_back({attribute->name, callee->position, /*is_method=*/true});
  }
  return Make(Call{std::move(callee), std::move(arguments)}, position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseSubscript(ExpressionPtr object) {
  const SourcePosition position = tokens_.Peek().position;
  Slice slice;
  bool is_slice = false;
  ExpressionPtr* parts[] = {&slice.start, &slice.stop, &slice.step};
  for (ExpressionPtr* part : parts) {
    if (!tokens_.Peek().IsOperator(":") && !tokens_.Peek().IsOperator("]")) {
      ASSIGN_OR_RETURN(*part, Parse());
    }
    if (!tokens_.TakeOperator(":")) break;
    is_slice = true;
  }
  RETURN_IF_ERROR(tokens_.ExpectOperator("]"));
  if (is_slice) {
    slice.object = std::move(object);
    return Make(std::move(slice), position);
  }
  if (slice.start == nullptr) return ErrorAt(position, "expected an index between \"[\" and \"]\"");
  return Make(Subscript{std::move(object), std::move(slice.start)}, position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseFilters(ExpressionPtr operand) {
  while (true) {
    const SourcePosition position = tokens_.Peek().position;
    if (tokens_.TakeOperator("|")) {
      ASSIGN_OR_RETURN(FilterCall filter, ParseFilter());
      filter.operand = std::move(operand);
      ASSIGN_OR_RETURN(operand, Make(std::move(filter), position));
    } else if (tokens_.TakeName("is")) {
      ASSIGN_OR_RETURN(operand, ParseTest(std::move(operand)));
    } else if (tokens_.TakeOperator("(")) {
      ASSIGN_OR_RETURN(CallArguments arguments, ParseArguments());
      ASSIGN_OR_RETURN(operand, MakeCall(std::move(operand), std::move(arguments), position));
    } else {
      return operand;
    }
  }
}

absl::StatusOr<FilterCall> ExpressionParser::ParseFilter() {
  if (tokens_.Peek().kind != TokenKind::kName) return tokens_.Unexpected("the name of a filter");
  const Token name = tokens_.Take();
  FilterCall filter;
  ASSIGN_OR_RETURN(filter.filter, FilterNamed(name.text, name.position));
  if (tokens_.TakeOperator("(")) {
    ASSIGN_OR_RETURN(filter.arguments, ParseArguments());
  }
  RETURN_IF_ERROR(CheckNamesIn(filter));
  return filter;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseTest(ExpressionPtr operand) {
  if (const auto* name = std::get_if<Name>(&operand->node)) asked_.push_back(name->name);
  const SourcePosition position = tokens_.Peek().position;
  TestCall test;
  test.negated = tokens_.TakeName("not");
  if (tokens_.Peek().kind != TokenKind::kName) return tokens_.Unexpected("the name of a test");
  const Token name = tokens_.Take();
  ASSIGN_OR_RETURN(test.test, TestNamed(name.text, name.position));
  test.operand = std::move(operand);
  ASSIGN_OR_RETURN(test.arguments, ParseTestArguments());
  return Make(std::move(test), position);
}

absl::StatusOr<CallArguments> ExpressionParser::ParseTestArguments() {
  if (tokens_.TakeOperator("(")) return ParseArguments();
  CallArguments arguments;
  if (StartsTestArgument()) {
    ASSIGN_OR_RETURN(ExpressionPtr argument, ParsePostfix());
    arguments.positional.push_back(std::move(argument));
  }
  return arguments;
}

/// "x is divisibleby 3" has an argument without parentheses; "x is defined and y" has none.
bool ExpressionParser::StartsTestArgument() const {
  const Token& next = tokens_.Peek();
  if (next.kind == TokenKind::kName) {
    for (const std::string_view word : {"else", "or", "and", "is", "if", "not", "in"}) {
      if (next.text == word) return false;
    }
    return true;
  }
  return next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
         next.kind == TokenKind::kFloat || next.IsOperator("[") || next.IsOperator("{");
}

absl::StatusOr<CallArguments> ExpressionParser::ParseArguments() {
  CallArguments arguments;
  while (!tokens_.TakeOperator(")")) {
    if (!arguments.positional.empty() || !arguments.keyword.empty()) {
      RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.TakeOperator(")")) break;
    }
    if (tokens_.Peek().kind == TokenKind::kName && tokens_.Peek(1).IsOperator("=")) {
      KeywordArgument argument;
      argument.name = tokens_.Take().text;
      tokens_.Take();
      ASSIGN_OR_RETURN(argument.value, Parse());
      arguments.keyword.push_back(std::move(argument));
      continue;
    }
    if (!arguments.keyword.empty()) return tokens_.Unexpected("a keyword argument");
    ASSIGN_OR_RETURN(ExpressionPtr argument, Parse());
    arguments.positional.push_back(std::move(argument));
  }
  return arguments;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParsePrimary() {
  const Token& next = tokens_.Peek();
  switch (next.kind) {
    case TokenKind::kName:
      return ParseName();
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return ParseNumber();
    case TokenKind::kString:
      return ParseText();
    default:
      break;
  }
  if (next.IsOperator("(")) return ParseParentheses();
  if (next.IsOperator("[")) return ParseList();
  if (next.IsOperator("{")) return ParseDict();
  return tokens_.Unexpected("an expression");
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseName() {
  const Token token = tokens_.Take();
  for (const std::string_view keyword :
       {"and", "else", "elif", "for", "if", "in", "is", "not", "or"}) {
    if (token.text == keyword) {
      return ErrorAt(token.position, fmt::format("expected an expression, got \"{}\"", keyword));
    }
  }
  if (token.text == "true" || token.text == "True") return Make(Literal{true}, token.position);
  if (token.text == "false" || token.text == "False") return Make(Literal{false}, token.position);
  if (token.text == "none" || token.text == "None") return Make(Literal{Value()}, token.position);
  return Make(Name{token.text}, token.position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseNumber() {
  const Token token = tokens_.Take();
  if (token.kind == TokenKind::kFloat) {
    return Make(Literal{std::strtod(token.text.c_str(), nullptr)}, token.position);
  }
  int64_t number = 0;
  const char* end = token.text.data() + token.text.size();
  if (std::from_chars(token.text.data(), end, number).ec != std::errc()) {
    return ErrorAt(token.position, fmt::format("{} is larger than 2^63 - 1", token.text));
  }
  return Make(Literal{number}, token.position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseText() {
  const SourcePosition position = tokens_.Peek().position;
  std::string text;
  while (tokens_.Peek().kind == TokenKind::kString) text += tokens_.Take().text;
  return Make(Literal{std::move(text)}, position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseParentheses() {
  const SourcePosition position = tokens_.Take().position;
  if (tokens_.TakeOperator(")")) return Make(ListLiteral{}, position);
  ASSIGN_OR_RETURN(ExpressionPtr expression, ParseTuple());
  RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
  return expression;
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseList() {
  const SourcePosition position = tokens_.Take().position;
  ListLiteral list;
  while (!tokens_.TakeOperator("]")) {
    if (!list.elements.empty()) {
      RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.TakeOperator("]")) break;
    }
    ASSIGN_OR_RETURN(ExpressionPtr element, Parse());
    list.elements.push_back(std::move(element));
  }
  return Make(std::move(list), position);
}

absl::StatusOr<ExpressionPtr> ExpressionParser::ParseDict() {
  const SourcePosition position = tokens_.Take().position;
  DictLiteral dict;
  while (!tokens_.TakeOperator("}")) {
    if (!dict.members.empty()) {
      RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.TakeOperator("}")) break;
    }
    ASSIGN_OR_RETURN(ExpressionPtr key, Parse());
    RETURN_IF_ERROR(tokens_.ExpectOperator(":"));
    ASSIGN_OR_RETURN(ExpressionPtr value, Parse());
    dict.members.emplace_back(std::move(key), std::move(value));
  }
  return Make(std::move(dict), position);
}

}  // namespace tandem::model::jinja
