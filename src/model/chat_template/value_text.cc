#include "model/chat_template/value_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "model/chat_template/bounded_text.h"

namespace tandem::model::jinja {
namespace {

/// Python's repr of a string: in single quotes unless only those occur in it.
void AppendQuoted(std::string_view text, BoundedText* out) {
  const bool double_quotes = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = double_quotes ? '"' : '\'';
  out->Append(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\') {
      out->Append(1, '\\');
      out->Append(1, c);
    } else if (c == '\n') {
      out->Append("\\n");
    } else if (c == '\r') {
      out->Append("\\r");
    } else if (c == '\t') {
      out->Append("\\t");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out->Append(fmt::format("\\x{:02x}", static_cast<unsigned char>(c)));
    } else {
      out->Append(1, c);
    }
  }
  out->Append(1, quote);
}

void AppendRepresentation(const Value& value, BoundedText* out);

void AppendList(const ListValue& list, BoundedText* out) {
  out->Append("[");
  bool first = true;
  for (const Value& element : list.elements()) {
    if (out->full()) return;
    if (!first) out->Append(", ");
    first = false;
    AppendRepresentation(element, out);
  }
  out->Append("]");
}

void AppendDict(const DictValue& dict, BoundedText* out) {
  out->Append("{");
  bool first = true;
  for (const auto& [key, value] : dict.members()) {
    if (out->full()) return;
    if (!first) out->Append(", ");
    first = false;
    AppendQuoted(key, out);
    out->Append(": ");
    AppendRepresentation(value, out);
  }
  out->Append("}");
}

void AppendText(const Value& value, BoundedText* out) {
  if (value.IsUndefined()) return;
  if (const std::string* text = value.AsString()) {
    out->Append(*text);
  } else {
    AppendRepresentation(value, out);
  }
}

void AppendRepresentation(const Value& value, BoundedText* out) {
  if (value.IsUndefined()) {
    out->Append("Undefined");
  } else if (value.IsNone()) {
    out->Append("None");
  } else if (const bool* flag = value.AsBool()) {
    out->Append(*flag ? "True" : "False");
  } else if (const int64_t* integer = value.AsInteger()) {
    out->Append(fmt::format("{}", *integer));
  } else if (const double* number = value.AsFloat()) {
    out->Append(FloatText(*number));
  } else if (const std::string* text = value.AsString()) {
    AppendQuoted(*text, out);
  } else if (const ListValue* list = value.AsList()) {
    AppendList(*list, out);
  } else if (const DictValue* dict = value.AsDict()) {
    AppendDict(*dict, out);
  } else {
    out->Append(fmt::format("<{}>", value.TypeName()));
  }
}

}  // namespace

absl::StatusOr<std::string> ToText(const Value& value, RenderBudget& budget) {
  BoundedText text;
  AppendText(value, &text);
  return text.Take(budget);
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer;
  const auto shortest = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                      std::chars_format::scientific);
  const std::string_view scientific(buffer.data(), shortest.ptr - buffer.data());
  const size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits, shortest.ptr, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string text(buffer.data(), fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

}  // namespace tandem::model::jinja
