#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::model {

/// Tokens that a checkpoint names beside its tokenizer.json, in tokenizer_config.json.
struct SpecialTokenNames {
  std::optional<std::string> bos, eos;
};

/// Byte-level BPE with added tokens. Const and safe for use by several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Text to ids. Added tokens that stand in the text become their ids. Invalid UTF-8 is replaced
  /// by U+FFFD, as Python's decoding does. `add_special_tokens` puts what the checkpoint asks for
  /// (a beginning-of-sequence token, say) around the text.
  virtual std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const = 0;

  /// Ids to text; incomplete UTF-8 becomes U+FFFD. Unknown ids give nothing.
  virtual std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const = 0;

  /// The bytes one id stands for (not necessarily whole characters); empty for an unknown id.
  virtual std::string_view Bytes(int32_t id) const = 0;
  virtual bool IsSpecial(int32_t id) const = 0;
  virtual int vocab_size() const = 0;
  virtual int32_t bos_token_id() const = 0;  ///< -1 if there is none.
  virtual int32_t eos_token_id() const = 0;  ///< -1 if there is none.

  /// From the text of a tokenizer.json. Errors name the field.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromJson(std::string_view json,
                                                             const SpecialTokenNames& names = {});
};

/// Turns ids into text one by one, holding back the bytes of a character that is not complete.
class IncrementalDetokenizer {
 public:
  IncrementalDetokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  /// The text that `id` completes; may be empty. Invalid bytes become U+FFFD.
  std::string Append(int32_t id);
  /// What is still held back, as U+FFFD.
  std::string Flush();

 private:
  const Tokenizer& tokenizer_;
  const bool skip_special_tokens_;
  std::string pending_;
};

}  // namespace tandem::model
