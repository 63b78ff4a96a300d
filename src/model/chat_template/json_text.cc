#include "model/chat_template/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/chat_template/bounded_text.h"
#include "model/chat_template/source_position.h"
#include "model/chat_template/value_text.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, BoundedText* out) : style_(style), out_(out) {}

  absl::Status Write(const Value& value) {
    if (value.IsNone()) {
      out_->Append("null");
    } else if (const bool* flag = value.AsBool()) {
      out_->Append(*flag ? "true" : "false");
    } else if (const int64_t* integer = value.AsInteger()) {
      out_->Append(fmt::format("{}", *integer));
    } else if (const double* number = value.AsFloat()) {
      WriteFloat(*number);
    } else if (const std::string* text = value.AsString()) {
      WriteString(*text);
    } else if (const ListValue* list = value.AsList()) {
      return WriteList(*list);
    } else if (const DictValue* dict = value.AsDict()) {
      return WriteDict(*dict);
    } else {
      return Problem(fmt::format("a value of type {} has no JSON form", value.TypeName()));
    }
    return absl::OkStatus();
  }

 private:
  void WriteFloat(double number) {
    if (std::isnan(number)) {
      out_->Append("NaN");
    } else if (std::isinf(number)) {
      out_->Append(number < 0 ? "-Infinity" : "Infinity");
    } else {
      out_->Append(FloatText(number));
    }
  }

  void WriteString(std::string_view text) {
    static constexpr std::string_view kSpecial = "\"\\\n\r\t\b\f";
    static constexpr std::string_view kLetters = "\"\\nrtbf";
    out_->Append(1, '"');
    while (!text.empty()) {
      const Utf8Character character = FirstCharacter(text);
      const std::string_view bytes = text.substr(0, character.size);
      text.remove_prefix(character.size);
      const size_t special = bytes.size() == 1 ? kSpecial.find(bytes[0]) : kSpecial.npos;
      if (special != kSpecial.npos) {
        out_->Append(1, '\\');
        out_->Append(1, kLetters[special]);
      } else if (character.code_point < 0x20 ||
                 (style_.ensure_ascii && character.code_point > 0x7e)) {
        WriteEscaped(character.code_point);
      } else {
        out_->Append(bytes);
      }
    }
    out_->Append(1, '"');
  }

  void WriteEscaped(uint32_t code_point) {
    if (code_point < 0x10000) {
      out_->Append(fmt::format("\\u{:04x}", code_point));
    } else {
      const uint32_t rest = code_point - 0x10000;
      out_->Append(
          fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff)));
    }
  }

  absl::Status WriteList(const ListValue& list) {
    if (list.elements().empty()) {
      out_->Append("[]");
      return absl::OkStatus();
    }
    Open('[');
    bool first = true;
    for (const Value& element : list.elements()) {
      if (out_->full()) break;
      StartItem(first);
      first = false;
      RETURN_IF_ERROR(Write(element));
    }
    Close(']');
    return absl::OkStatus();
  }

  absl::Status WriteDict(const DictValue& dict) {
    if (dict.members().empty()) {
      out_->Append("{}");
      return absl::OkStatus();
    }
    std::vector<const DictValue::Member*> members;
    members.reserve(dict.members().size());
    for (const DictValue::Member& member : dict.members()) members.push_back(&member);
    if (style_.sort_keys) {
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    Open('{');
    bool first = true;
    for (const DictValue::Member* member : members) {
      if (out_->full()) break;
      StartItem(first);
      first = false;
      WriteString(member->first);
      out_->Append(style_.key_separator);
      RETURN_IF_ERROR(Write(member->second));
    }
    Close('}');
    return absl::OkStatus();
  }

  void Open(char bracket) {
    out_->Append(1, bracket);
    ++level_;
  }

  void StartItem(bool first) {
    if (!first) out_->Append(style_.item_separator);
    StartLine();
  }

  void Close(char bracket) {
    --level_;
    StartLine();
    out_->Append(1, bracket);
  }

  void StartLine() {
    if (!style_.indent) return;
    out_->Append("\n");
    for (int i = 0; i < level_; ++i) out_->Append(*style_.indent);
  }

  const JsonStyle& style_;
  BoundedText* out_;
  int level_ = 0;
};

}  // namespace

absl::StatusOr<std::string> ToJsonText(const Value& value, const JsonStyle& style,
                                       RenderBudget& budget) {
  BoundedText text;
  RETURN_IF_ERROR(JsonWriter(style, &text).Write(value));
  return text.Take(budget);
}

}  // namespace tandem::model::jinja
