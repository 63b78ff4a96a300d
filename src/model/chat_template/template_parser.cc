#include "model/chat_template/template_parser.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/chat_template/expression_parser.h"
#include "model/chat_template/functions.h"
#include "model/chat_template/lexer.h"
#include "model/chat_template/methods.h"

namespace tandem::model::jinja {
namespace {

constexpr int kMaxOpenBlocks = 40;

class TemplateParser {
 public:
  explicit TemplateParser(std::vector<Token> tokens)
      : tokens_(std::move(tokens)), expressions_(tokens_) {}

  absl::StatusOr<Block> Run() {
    ASSIGN_OR_RETURN(Block block, ParseBlock({}));
    if (tokens_.Peek().kind != TokenKind::kEnd) {
      const Token& tag = tokens_.Peek(1);
      return ErrorAt(tag.position, fmt::format("unexpected \"{}\"", tag.text));
    }
    RETURN_IF_ERROR(CheckCalls());
    return block;
  }

 private:
  using Ends = std::initializer_list<std::string_view>;

  /// What is called must be known, or be something that the template itself makes or asks for.
  absl::Status CheckCalls() const {
    const auto contains = [](const std::vector<std::string>& names, const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const CalledName& called : expressions_.called()) {
      if (contains(bound_, called.name) || contains(expressions_.asked(), called.name)) continue;
      if (called.is_method ? IsMethodName(called.name) : FindFunction(called.name) != nullptr) {
        continue;
      }
      return ErrorAt(called.position,
                     fmt::format("there is no {} \"{}\"", called.is_method ? "method" : "function",
                                 called.name));
    }
    return absl::OkStatus();
  }

  /// Whether a tag begins here whose name is one of `ends`.
  bool AtTag(Ends ends) const {
    if (tokens_.Peek().kind != TokenKind::kBlockBegin) return false;
    for (const std::string_view end : ends) {
      if (tokens_.Peek(1).IsName(end)) return true;
    }
    return false;
  }

  /// Statements up to one of the tags `ends` (which stays), or the template's end if there are
  /// none.
  absl::StatusOr<Block> ParseBlock(Ends ends) {
    if (open_blocks_ >= kMaxOpenBlocks) {
      return ErrorAt(tokens_.Peek().position, "blocks are nested too deeply");
    }
    ++open_blocks_;
    Block block;
    while (tokens_.Peek().kind != TokenKind::kEnd && !AtTag(ends)) {
      auto statement = ParseStatement();
      if (!statement.ok()) return std::move(statement).status();
      block.push_back(*std::move(statement));
    }
    --open_blocks_;
    return block;
  }

  absl::StatusOr<Statement> ParseStatement() {
    const Token token = tokens_.Take();
    if (token.kind == TokenKind::kText) return Statement{TextOutput{token.text}, token.position};
    if (token.kind == TokenKind::kVariableBegin) {
      ASSIGN_OR_RETURN(ExpressionPtr expression, expressions_.ParseTuple());
      if (tokens_.Peek().kind != TokenKind::kVariableEnd) return tokens_.Unexpected("\"}}\"");
      tokens_.Take();
      return Statement{ExpressionOutput{std::move(expression)}, token.position};
    }
    if (tokens_.Peek().kind != TokenKind::kName) return tokens_.Unexpected("the name of a tag");
    ASSIGN_OR_RETURN(StatementNode node, ParseTag(tokens_.Take()));
    return Statement{std::move(node), token.position};
  }

  absl::StatusOr<StatementNode> ParseTag(const Token& name) {
    if (name.text == "if") return ParseIf(name.position);
    if (name.text == "for") return ParseFor(name.position);
    if (name.text == "set") return ParseSet(name.position);
    if (name.text == "macro") return ParseMacro(name.position);
    if (name.text == "filter") return ParseFilterBlock(name.position);
    if (name.text == "generation") {
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      Generation generation;
      ASSIGN_OR_RETURN(generation.body, ParseBody(name.position, "endgeneration"));
      return generation;
    }
    if (name.text == "break" || name.text == "continue") {
      if (open_loops_ == 0) {
        return ErrorAt(name.position, fmt::format("\"{}\" stands outside of a loop", name.text));
      }
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      if (name.text == "break") return Break{};
      return Continue{};
    }
    return ErrorAt(name.position,
                   fmt::format("unexpected tag \"{}\"; accepted: if, for, set, macro, filter, "
                               "generation, break, continue, raw",
                               name.text));
  }

  /// The tag `end` with its "%}".
  absl::Status ExpectEndTag(SourcePosition begin, std::string_view end) {
    if (!AtTag({end})) return ErrorAt(begin, fmt::format("the tag has no \"{}\"", end));
    tokens_.Take();
    tokens_.Take();
    return tokens_.ExpectBlockEnd();
  }

  absl::StatusOr<Block> ParseBody(SourcePosition begin, std::string_view end) {
    ASSIGN_OR_RETURN(Block body, ParseBlock({end}));
    RETURN_IF_ERROR(ExpectEndTag(begin, end));
    return body;
  }

  absl::StatusOr<StatementNode> ParseIf(SourcePosition begin) {
    If result;
    do {
      IfBranch branch;
      ASSIGN_OR_RETURN(branch.condition, expressions_.ParseTuple());
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      ASSIGN_OR_RETURN(branch.body, ParseBlock({"elif", "else", "endif"}));
      result.branches.push_back(std::move(branch));
    } while (TakeTag("elif"));
    if (TakeTag("else")) {
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      ASSIGN_OR_RETURN(result.otherwise, ParseBlock({"endif"}));
    }
    RETURN_IF_ERROR(ExpectEndTag(begin, "endif"));
    return result;
  }

  bool TakeTag(std::string_view name) {
    if (!AtTag({name})) return false;
    tokens_.Take();
    tokens_.Take();
    return true;
  }

  absl::StatusOr<std::string> ParseTargetName() {
    if (tokens_.Peek().kind != TokenKind::kName)
      return tokens_.Unexpected("the name of a variable");
    bound_.push_back(tokens_.Take().text);
    return bound_.back();
  }

  absl::StatusOr<StatementNode> ParseFor(SourcePosition begin) {
    For loop;
    const bool parentheses = tokens_.TakeOperator("(");
    do {
      ASSIGN_OR_RETURN(std::string target, ParseTargetName());
      loop.targets.push_back(std::move(target));
    } while (tokens_.TakeOperator(","));
    if (parentheses) RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
    if (!tokens_.TakeName("in")) return tokens_.Unexpected("\"in\"");
    ASSIGN_OR_RETURN(loop.iterable, expressions_.ParseOr());
    if (tokens_.TakeName("if")) {
      ASSIGN_OR_RETURN(loop.filter, expressions_.Parse());
    }
    if (tokens_.Peek().IsName("recursive")) {
      return ErrorAt(tokens_.Peek().position, "recursive loops are not supported");
    }
    RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    ++open_loops_;
    ASSIGN_OR_RETURN(loop.body, ParseBlock({"else", "endfor"}));
    --open_loops_;
    if (TakeTag("else")) {
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      ASSIGN_OR_RETURN(loop.otherwise, ParseBlock({"endfor"}));
    }
    RETURN_IF_ERROR(ExpectEndTag(begin, "endfor"));
    return loop;
  }

  absl::StatusOr<AssignmentTarget> ParseTarget() {
    AssignmentTarget target;
    ASSIGN_OR_RETURN(target.name, ParseTargetName());
    if (tokens_.TakeOperator(".")) {
      ASSIGN_OR_RETURN(target.attribute, ParseTargetName());
    }
    return target;
  }

  absl::StatusOr<std::vector<FilterCall>> ParseBlockFilters() {
    std::vector<FilterCall> filters;
    do {
      ASSIGN_OR_RETURN(FilterCall filter, expressions_.ParseFilter());
      filters.push_back(std::move(filter));
    } while (tokens_.TakeOperator("|"));
    return filters;
  }

  absl::StatusOr<StatementNode> ParseSet(SourcePosition begin) {
    std::vector<AssignmentTarget> targets;
    do {
      ASSIGN_OR_RETURN(AssignmentTarget target, ParseTarget());
      targets.push_back(std::move(target));
    } while (tokens_.TakeOperator(","));
    if (tokens_.TakeOperator("=")) {
      Set set{std::move(targets), nullptr};
      ASSIGN_OR_RETURN(set.value, expressions_.ParseTuple());
      RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
      return set;
    }
    if (targets.size() > 1) return tokens_.Unexpected("\"=\"");
    SetBlock block{.target = std::move(targets[0]), .filters = {}, .body = {}};
    if (tokens_.TakeOperator("|")) {
      ASSIGN_OR_RETURN(block.filters, ParseBlockFilters());
    }
    RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    ASSIGN_OR_RETURN(block.body, ParseBody(begin, "endset"));
    return block;
  }

  absl::StatusOr<StatementNode> ParseMacro(SourcePosition begin) {
    if (open_loops_ > 0 || in_macro_) {
      return ErrorAt(begin, "macros inside of loops and macros are not supported");
    }
    MacroDefinition macro;
    ASSIGN_OR_RETURN(macro.name, ParseTargetName());
    RETURN_IF_ERROR(tokens_.ExpectOperator("("));
    while (!tokens_.TakeOperator(")")) {
      if (!macro.parameters.empty()) RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      MacroParameter parameter;
      ASSIGN_OR_RETURN(parameter.name, ParseTargetName());
      if (tokens_.TakeOperator("=")) {
        ASSIGN_OR_RETURN(parameter.default_value, expressions_.Parse());
      }
      macro.parameters.push_back(std::move(parameter));
    }
    RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    in_macro_ = true;
    ASSIGN_OR_RETURN(macro.body, ParseBody(begin, "endmacro"));
    in_macro_ = false;
    return macro;
  }

  absl::StatusOr<StatementNode> ParseFilterBlock(SourcePosition begin) {
    FilterBlock block;
    ASSIGN_OR_RETURN(block.filters, ParseBlockFilters());
    RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    ASSIGN_OR_RETURN(block.body, ParseBody(begin, "endfilter"));
    return block;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  std::vector<std::string> bound_;  ///< Names that the template gives to values.
  int open_blocks_ = 0;
  int open_loops_ = 0;
  bool in_macro_ = false;
};

}  // namespace

absl::StatusOr<Block> ParseTemplate(std::string_view source) {
  ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return TemplateParser(std::move(tokens)).Run();
}

}  // namespace tandem::model::jinja
