#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace tandem::engine::testing {

/// 64 tokens: 0 ends a sequence (special, "<end>"), 1 to 26 are "a" to "z", 27 is a space, 28 and
/// 29 are the two bytes of "é", 30 is "stop", 31 is "top"; n above that is "[n]".
class FakeTokenizer : public model::Tokenizer {
 public:
  static constexpr int kVocabulary = 64;
  static constexpr int32_t kEnd = 0;

  FakeTokenizer() {
    pieces_.push_back("<end>");
    for (char letter = 'a'; letter <= 'z'; ++letter) pieces_.emplace_back(1, letter);
    for (const char* piece : {" ", "\xc3", "\xa9", "stop", "top"}) pieces_.push_back(piece);
    for (int id = static_cast<int>(pieces_.size()); id < kVocabulary; ++id) {
      pieces_.push_back("[" + std::to_string(id) + "]");
    }
  }

  /// Letters and spaces only.
  std::vector<int32_t> Encode(std::string_view text, bool) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(c == ' ' ? 27 : c - 'a' + 1);
    return ids;
  }
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const override {
    model::IncrementalDetokenizer detokenizer(*this, skip_special_tokens);
    std::string text;
    for (const int32_t id : ids) text += detokenizer.Append(id);
    return text + detokenizer.Flush();
  }
  std::string_view Bytes(int32_t id) const override {
    return id < 0 || id >= kVocabulary ? std::string_view() : std::string_view(pieces_[id]);
  }
  bool IsSpecial(int32_t id) const override { return id == kEnd; }
  int vocab_size() const override { return kVocabulary; }
  int32_t bos_token_id() const override { return -1; }
  int32_t eos_token_id() const override { return kEnd; }

 private:
  std::vector<std::string> pieces_;
};

}  // namespace tandem::engine::testing
