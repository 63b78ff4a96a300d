#include "model/chat_template/lexer.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "model/chat_template/expression_lexer.h"
#include "model/chat_template/source_reader.h"

namespace tandem::model::jinja {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r\v\f";
constexpr size_t kTagBytes = 2;

/// Line ends as "\n", without the one at the very end, as Jinja reads templates.
std::string NormalizeLineEnds(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

void StripAllSpaceAtEnd(std::string& text) { text.erase(text.find_last_not_of(kWhiteSpace) + 1); }

/// Takes the white space off that stands alone between the last line's start and a tag.
void StripIndentation(std::string& text, bool at_line_start) {
  const size_t newline = text.rfind('\n');
  if (newline == std::string::npos && !at_line_start) return;
  const size_t line = newline == std::string::npos ? 0 : newline + 1;
  if (text.find_first_not_of(kWhiteSpace, line) == std::string::npos) text.erase(line);
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : reader_(source) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (!reader_.AtEnd()) {
      ReadText();
      if (reader_.AtEnd()) break;
      RETURN_IF_ERROR(ReadTag());
    }
    tokens_.push_back({TokenKind::kEnd, "", reader_.position()});
    return std::move(tokens_);
  }

 private:
  /// Text up to the next tag, whose first character and sign decide what is stripped.
  void ReadText() {
    const SourcePosition position = reader_.position();
    const size_t size = FindTag(reader_.rest());
    std::string text(reader_.Take(size));
    if (!reader_.AtEnd()) {
      const char sign = reader_.Peek(kTagBytes);
      if (sign == '-') {
        StripAllSpaceAtEnd(text);
      } else if (sign != '+' && reader_.Peek(1) != '{') {
        StripIndentation(text, at_line_start_);
      }
    }
    if (!text.empty()) tokens_.push_back({TokenKind::kText, std::move(text), position});
  }

  static size_t FindTag(std::string_view text) {
    for (size_t at = 0; (at = text.find('{', at)) != std::string_view::npos; ++at) {
      const char next = at + 1 < text.size() ? text[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return text.size();
  }

  absl::Status ReadTag() {
    const SourcePosition position = reader_.position();
    const char kind = reader_.Peek(1);
    if (kind == '#') return SkipComment(position);
    const bool raw = kind == '%' && SkipIfRaw();
    if (raw) return ReadRaw(position);
    reader_.Take(kTagBytes);
    SkipSign();
    tokens_.push_back(
        {kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "", position});
    return ReadExpression(position, kind == '{' ? "}}" : "%}");
  }

  void SkipSign() {
    if (reader_.Peek() == '-' || reader_.Peek() == '+') reader_.Take(1);
  }

  void SkipSpace() {
    while (!reader_.AtEnd() && kWhiteSpace.find(reader_.Peek()) != std::string_view::npos) {
      reader_.Take(1);
    }
  }

  absl::Status ReadExpression(SourcePosition begin, std::string_view end) {
    int open = 0;
    while (true) {
      SkipSpace();
      if (reader_.AtEnd()) return ErrorAt(begin, "the tag that begins here does not end");
      const bool sign = reader_.Peek() == '-' || reader_.Peek() == '+';
      if (open == 0 && reader_.rest().substr(sign ? 1 : 0).starts_with(end)) {
        const SourcePosition position = reader_.position();
        EndTag(end, end == "%}");
        tokens_.push_back(
            {end == "}}" ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "", position});
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(Token token, ReadExpressionToken(reader_));
      if (token.IsOperator("{") || token.IsOperator("[") || token.IsOperator("(")) ++open;
      if (token.IsOperator("}") || token.IsOperator("]") || token.IsOperator(")")) --open;
      tokens_.push_back(std::move(token));
    }
  }

  /// Takes the end of a tag and the white space that goes with it.
  void EndTag(std::string_view end, bool trims_newline) {
    const char sign = reader_.Peek();
    if (sign == '-' || sign == '+') reader_.Take(1);
    reader_.Take(end.size());
    at_line_start_ = false;
    if (sign == '-') {
      while (!reader_.AtEnd() && kWhiteSpace.find(reader_.Peek()) != std::string_view::npos) {
        at_line_start_ = reader_.Take(1) == "\n";
      }
    } else if (trims_newline && sign != '+' && reader_.Peek() == '\n') {
      reader_.Take(1);
      at_line_start_ = true;
    }
  }

  absl::Status SkipComment(SourcePosition position) {
    const size_t end = reader_.rest().find("#}", kTagBytes);
    if (end == std::string_view::npos) {
      return ErrorAt(position, "the comment that begins here does not end");
    }
    const char last = reader_.Peek(end - 1);
    const bool sign = end > kTagBytes && (last == '-' || last == '+');
    reader_.Take(sign ? end - 1 : end);
    EndTag("#}", true);
    return absl::OkStatus();
  }

  /// Whether the tag is {% raw %}; takes it then.
  bool SkipIfRaw() {
    SourceReader ahead = reader_;
    const auto skip_space = [&ahead] {
      while (!ahead.AtEnd() && kWhiteSpace.find(ahead.Peek()) != std::string_view::npos) {
        ahead.Take(1);
      }
    };
    ahead.Take(kTagBytes);
    if (ahead.Peek() == '-' || ahead.Peek() == '+') ahead.Take(1);
    skip_space();
    if (!ahead.StartsWith("raw")) return false;
    ahead.Take(3);
    skip_space();
    const bool sign = ahead.Peek() == '-' || ahead.Peek() == '+';
    if (!ahead.rest().substr(sign ? 1 : 0).starts_with("%}")) return false;
    reader_ = ahead;
    EndTag("%}", false);
    return true;
  }

  /// Text up to {% endraw %}.
  absl::Status ReadRaw(SourcePosition begin) {
    const SourcePosition position = reader_.position();
    std::string text;
    while (!reader_.AtEnd()) {
      if (!reader_.StartsWith("{%")) {
        text += reader_.Take(1);
        continue;
      }
      SourceReader ahead = reader_;
      ahead.Take(kTagBytes);
      const char sign = ahead.Peek();
      if (sign == '-' || sign == '+') ahead.Take(1);
      while (ahead.Peek() == ' ') ahead.Take(1);
      const bool is_end = ahead.StartsWith("endraw");
      if (is_end) ahead.Take(6);
      while (ahead.Peek() == ' ') ahead.Take(1);
      const bool end_sign = ahead.Peek() == '-' || ahead.Peek() == '+';
      if (!is_end || !ahead.rest().substr(end_sign ? 1 : 0).starts_with("%}")) {
        text += reader_.Take(1);
        continue;
      }
      reader_ = ahead;
      if (sign == '-') StripAllSpaceAtEnd(text);
      if (sign != '-' && sign != '+') StripIndentation(text, at_line_start_);
      EndTag("%}", true);
      tokens_.push_back({TokenKind::kText, std::move(text), position});
      return absl::OkStatus();
    }
    return ErrorAt(begin, "{% raw %} has no {% endraw %}");
  }

  SourceReader reader_;
  std::vector<Token> tokens_;
  bool at_line_start_ = true;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) {
  const std::string normalized = NormalizeLineEnds(source);
  return Lexer(normalized).Run();
}

}  // namespace tandem::model::jinja
