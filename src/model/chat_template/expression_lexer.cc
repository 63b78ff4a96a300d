#include "model/chat_template/expression_lexer.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "base/status.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model::jinja {
namespace {

constexpr std::array<std::string_view, 26> kOperators = {
    "==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<",
    ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ",", ".", ":", "|", ";"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

Token ReadName(SourceReader& reader) {
  const SourcePosition position = reader.position();
  size_t size = 1;
  while (IsNameStart(reader.Peek(size)) || IsDigit(reader.Peek(size))) ++size;
  return {TokenKind::kName, std::string(reader.Take(size)), position};
}

/// Digits with underscores between them, and a fraction or an exponent.
Token ReadNumber(SourceReader& reader) {
  Token token{TokenKind::kInteger, "", reader.position()};
  const auto take_digits = [&] {
    while (IsDigit(reader.Peek()) || (reader.Peek() == '_' && IsDigit(reader.Peek(1)))) {
      const char c = reader.Take(1)[0];
      if (c != '_') token.text += c;
    }
  };
  take_digits();
  if (reader.Peek() == '.' && IsDigit(reader.Peek(1))) {
    token.kind = TokenKind::kFloat;
    token.text += reader.Take(1);
    take_digits();
  }
  const bool sign = reader.Peek(1) == '+' || reader.Peek(1) == '-';
  if ((reader.Peek() == 'e' || reader.Peek() == 'E') && IsDigit(reader.Peek(sign ? 2 : 1))) {
    token.kind = TokenKind::kFloat;
    token.text += reader.Take(sign ? 2 : 1);
    take_digits();
  }
  return token;
}

/// The character that \x, \u or \U and its digits stand for; nothing if the digits are missing.
std::optional<uint32_t> ReadHexadecimal(SourceReader& reader, size_t digits) {
  const std::string_view text = reader.rest().substr(0, digits);
  uint32_t code_point = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code_point, 16);
  if (error != std::errc() || text.size() < digits || end != text.data() + digits) {
    return std::nullopt;
  }
  reader.Take(digits);
  return code_point;
}

/// What follows a backslash. Python leaves unknown escapes as they are.
absl::Status ReadEscape(SourceReader& reader, std::string* out) {
  static constexpr std::string_view kLetters = "abfnrtv\\'\"";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  const SourcePosition position = reader.position();
  const char c = reader.Take(1)[0];
  if (const size_t simple = kLetters.find(c); simple != std::string_view::npos) {
    out->push_back(kMeanings[simple]);
  } else if (c == 'x' || c == 'u' || c == 'U') {
    const auto code_point = ReadHexadecimal(reader, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    if (!code_point || *code_point > 0x10ffff || (*code_point & ~0x7ffu) == 0xd800) {
      return ErrorAt(position, fmt::format("\\{} is followed by no character's number", c));
    }
    AppendUtf8(*code_point, out);
  } else if (c != '\n') {
    out->push_back('\\');
    out->push_back(c);
  }
  return absl::OkStatus();
}

absl::StatusOr<Token> ReadString(SourceReader& reader) {
  Token token{TokenKind::kString, "", reader.position()};
  const char quote = reader.Take(1)[0];
  while (!reader.AtEnd()) {
    const char c = reader.Take(1)[0];
    if (c == quote) return token;
    if (c == '\\' && !reader.AtEnd()) {
      RETURN_IF_ERROR(ReadEscape(reader, &token.text));
    } else {
      token.text += c;
    }
  }
  return ErrorAt(token.position, "the string that begins here does not end");
}

}  // namespace

absl::StatusOr<Token> ReadExpressionToken(SourceReader& reader) {
  const char c = reader.Peek();
  if (IsNameStart(c)) return ReadName(reader);
  if (IsDigit(c)) return ReadNumber(reader);
  if (c == '"' || c == '\'') return ReadString(reader);
  for (const std::string_view name : kOperators) {
    if (reader.StartsWith(name)) {
      const SourcePosition position = reader.position();
      return Token{TokenKind::kOperator, std::string(reader.Take(name.size())), position};
    }
  }
  return ErrorAt(reader.position(), fmt::format("unexpected character '{}'", c));
}

}  // namespace tandem::model::jinja
