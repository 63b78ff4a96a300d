#pragma once

#include <string>
#include <string_view>

#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {

enum class TokenKind {
  kText,           ///< Outside of tags.
  kVariableBegin,  ///< {{
  kVariableEnd,    ///< }}
  kBlockBegin,     ///< {%
  kBlockEnd,       ///< %}
  kName,
  kInteger,
  kFloat,
  kString,
  kOperator,
  kEnd,  ///< Of the template.
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  ///< Of a string, what it stands for.
  SourcePosition position;

  bool IsOperator(std::string_view name) const {
    return kind == TokenKind::kOperator && text == name;
  }
  bool IsName(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

}  // namespace tandem::model::jinja
