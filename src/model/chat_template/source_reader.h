#pragma once

#include <cstddef>
#include <string_view>

#include "model/chat_template/source_position.h"

namespace tandem::model::jinja {

/// Walks through a template and keeps count of lines and columns.
class SourceReader {
 public:
  explicit SourceReader(std::string_view source) : source_(source) {}

  bool AtEnd() const { return at_ == source_.size(); }
  std::string_view rest() const { return source_.substr(at_); }
  SourcePosition position() const { return position_; }
  /// The character `ahead` places on; '\0' behind the end.
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  bool StartsWith(std::string_view text) const { return rest().starts_with(text); }

  /// Goes on by `count` characters, which are there, and returns them.
  std::string_view Take(size_t count) {
    const std::string_view taken = source_.substr(at_, count);
    for (const char c : taken) {
      if (c == '\n') {
        ++position_.line;
        position_.column = 1;
      } else {
        ++position_.column;
      }
    }
    at_ += count;
    return taken;
  }

 private:
  std::string_view source_;
  size_t at_ = 0;
  SourcePosition position_;
};

}  // namespace tandem::model::jinja
