#pragma once

#include <chrono>
#include <string>

#include "model/chat_template/chat_template.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// A tokenizer whose ids are bytes; id 256 is a special token, "<s>", that stands before a text.
class LetterTokenizer : public model::Tokenizer {
 public:
  LetterTokenizer() {
    for (int byte = 0; byte < 256; ++byte)
      bytes_.push_back(std::string(1, static_cast<char>(byte)));
    bytes_.push_back("<s>");
  }
  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override {
    std::vector<int32_t> ids;
    if (add_special_tokens) ids.push_back(256);
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id != 256 || !skip_special_tokens) text += Bytes(id);
    }
    return text;
  }
  std::string_view Bytes(int32_t id) const override {
    return id >= 0 && id < vocab_size() ? std::string_view(bytes_[id]) : std::string_view();
  }
  bool IsSpecial(int32_t id) const override { return id == 256; }
  int vocab_size() const override { return 257; }
  int32_t bos_token_id() const override { return 256; }
  int32_t eos_token_id() const override { return -1; }

 private:
  std::vector<std::string> bytes_;
};

/// Renders a conversation as "role:content;" for each message, and "assistant:" to go on.
class ColonTemplate : public model::ChatTemplate {
 public:
  absl::StatusOr<std::string> Render(const boost::json::object& variables,
                                     std::chrono::system_clock::time_point /*now*/) const override {
    std::string text;
    for (const boost::json::value& message : variables.at("messages").as_array()) {
      const boost::json::object& fields = message.as_object();
      if (fields.at("role") == "nobody") return absl::InvalidArgumentError("nobody may speak");
      text += std::string(fields.at("role").as_string()) + ":" +
              std::string(fields.at("content").as_string()) + ";";
    }
    if (variables.at("add_generation_prompt").as_bool()) text += "assistant:";
    return text;
  }
};

}  // namespace tandem::api
