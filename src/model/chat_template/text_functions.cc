#include "model/chat_template/text_functions.h"

#include <utf8proc.h>

#include <algorithm>

#include "model/tokenizer/unicode.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model::jinja {
namespace {

/// Python's str.isspace also takes the four information separators.
bool IsPythonSpace(uint32_t code_point) {
  return IsWhiteSpace(code_point) || (code_point >= 0x1c && code_point <= 0x1f);
}

bool Contains(std::optional<std::string_view> characters, std::string_view character) {
  if (!characters) return IsPythonSpace(FirstCharacter(character).code_point);
  return characters->find(character) != std::string_view::npos;
}

std::string_view LastCharacter(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (text[at] & 0xc0) == 0x80) --at;
  return text.substr(at);
}

void AppendUpper(uint32_t code_point, std::string* out) {
  AppendUtf8(static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point))),
             out);
}

void AppendLower(uint32_t code_point, std::string* out) {
  AppendUtf8(static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))),
             out);
}

/// Rewrites `text`, upper case where `is_upper(previous character)` says so.
template <typename IsUpper>
std::string WithCase(std::string_view text, IsUpper is_upper) {
  std::string out;
  out.reserve(text.size());
  std::optional<uint32_t> previous;
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    if (is_upper(previous)) {
      AppendUpper(character.code_point, &out);
    } else {
      AppendLower(character.code_point, &out);
    }
    previous = character.code_point;
    text.remove_prefix(character.size);
  }
  return out;
}

bool IsLetter(uint32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  characters.reserve(text.size());
  while (!text.empty()) {
    const size_t size = FirstCharacter(text).size;
    characters.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return characters;
}

int64_t CharacterCount(std::string_view text) {
  int64_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(FirstCharacter(text).size);
  return count;
}

std::string_view Strip(std::string_view text, std::optional<std::string_view> characters,
                       Side side) {
  while (side != Side::kRight && !text.empty()) {
    const std::string_view first = text.substr(0, FirstCharacter(text).size);
    if (!Contains(characters, first)) break;
    text.remove_prefix(first.size());
  }
  while (side != Side::kLeft && !text.empty()) {
    const std::string_view last = LastCharacter(text);
    if (!Contains(characters, last)) break;
    text.remove_suffix(last.size());
  }
  return text;
}

std::vector<std::string_view> SplitAtSpace(std::string_view text, int64_t most) {
  std::vector<std::string_view> parts;
  text = Strip(text, std::nullopt, Side::kLeft);
  while (!text.empty()) {
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(text);
      break;
    }
    size_t end = 0;
    while (end < text.size()) {
      const Utf8Character character = FirstCharacter(text.substr(end));
      if (IsPythonSpace(character.code_point)) break;
      end += character.size;
    }
    parts.push_back(text.substr(0, end));
    text = Strip(text.substr(end), std::nullopt, Side::kLeft);
  }
  return parts;
}

std::vector<std::string_view> Split(std::string_view text, std::string_view separator,
                                    int64_t most) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = text.find(separator, at);
    if (found == text.npos) break;
    parts.push_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

std::vector<std::string_view> SplitFromRight(std::string_view text, std::string_view separator,
                                             int64_t most) {
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t found = text.rfind(separator);
    if (found == text.npos) break;
    parts.push_back(text.substr(found + separator.size()));
    text = text.substr(0, found);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const size_t next = std::min(end + (text.substr(end).starts_with("\r\n") ? 2 : 1), text.size());
    lines.push_back(text.substr(0, keep_ends ? next : end));
    text.remove_prefix(next);
  }
  return lines;
}

int64_t CountOccurrences(std::string_view text, std::string_view part) {
  if (part.empty()) return CharacterCount(text) + 1;
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

std::string Replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t most) {
  std::string out;
  size_t at = 0;
  for (int64_t count = 0; most < 0 || count < most; ++count) {
    if (from.empty()) {
      out += to;
      if (at == text.size()) break;
      const size_t size = FirstCharacter(text.substr(at)).size;
      out += text.substr(at, size);
      at += size;
      continue;
    }
    const size_t found = text.find(from, at);
    if (found == text.npos) break;
    out += text.substr(at, found - at);
    out += to;
    at = found + from.size();
  }
  out += text.substr(at);
  return out;
}

std::string Upper(std::string_view text) {
  return WithCase(text, [](std::optional<uint32_t>) { return true; });
}

std::string Lower(std::string_view text) {
  return WithCase(text, [](std::optional<uint32_t>) { return false; });
}

std::string Capitalize(std::string_view text) {
  return WithCase(text, [](std::optional<uint32_t> previous) { return !previous; });
}

std::string Title(std::string_view text) {
  return WithCase(
      text, [](std::optional<uint32_t> previous) { return !previous || !IsLetter(*previous); });
}

}  // namespace tandem::model::jinja
