#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/chat_template/token.h"

namespace tandem::model::jinja {

/// The tokens of a template, taken one by one. The last one, kEnd, stays.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token Take() {
    Token token = Peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }

  /// Takes the next token if it is this operator or name.
  bool TakeOperator(std::string_view name) {
    if (!Peek().IsOperator(name)) return false;
    Take();
    return true;
  }
  bool TakeName(std::string_view name) {
    if (!Peek().IsName(name)) return false;
    Take();
    return true;
  }

  absl::Status ExpectOperator(std::string_view name) {
    return TakeOperator(name) ? absl::OkStatus() : Unexpected(fmt::format("\"{}\"", name));
  }
  absl::Status ExpectBlockEnd() {
    if (Peek().kind != TokenKind::kBlockEnd) return Unexpected("\"%}\"");
    Take();
    return absl::OkStatus();
  }

  absl::Status Unexpected(std::string_view expected) const {
    return ErrorAt(Peek().position, fmt::format("expected {}, got {}", expected, Describe(Peek())));
  }

 private:
  static std::string Describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kText:
        return "text";
      case TokenKind::kVariableBegin:
        return "\"{{\"";
      case TokenKind::kVariableEnd:
        return "\"}}\"";
      case TokenKind::kBlockBegin:
        return "\"{%\"";
      case TokenKind::kBlockEnd:
        return "\"%}\"";
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kString:
        return "a string";
      default:
        return fmt::format("\"{}\"", token.text);
    }
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace tandem::model::jinja
