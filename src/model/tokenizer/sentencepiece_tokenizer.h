#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/string_hash.h"
#include "model/tokenizer.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoder.h"
#include "model/tokenizer/token_table.h"

namespace tandem::model {

/// When a text gets a space before its first character.
enum class PrependSpace {
  kNever,
  kAlways,           ///< Each text between added tokens (the normalizer Prepend).
  kUnlessThere,      ///< The same, but not before a space (Metaspace, "always").
  kFirstUnlessThere  ///< Only at the very beginning (Metaspace, "first").
};

/// What a checkpoint says about its tokenizer.
struct SentencePieceParts {
  TokenTable tokens;
  AddedTokens added_tokens;
  BytePairEncoder encoder;
  StringMap<std::string, int32_t> characters;  ///< Tokens of one character, as they are written.
  std::array<int32_t, 256> byte_tokens;        ///< "<0x00>" to "<0xFF>".
  PrependSpace prepend_space = PrependSpace::kNever;
  bool strip_first_space = false;  ///< Of decoded text.
  std::vector<int32_t> prefix;     ///< Special tokens before a text...
  std::vector<int32_t> suffix;     ///< ... and behind it.
  int32_t bos_token_id = -1;
  int32_t eos_token_id = -1;
};

/// BPE over characters, as Llama 2's and Mistral's checkpoints have it out of SentencePiece: spaces
/// are written U+2581, a text is merged as a whole, and a character without a token becomes its
/// bytes.
class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(SentencePieceParts parts) : parts_(std::move(parts)) {}

  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override;
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  std::string_view Bytes(int32_t id) const override { return parts_.tokens.Bytes(id); }
  bool IsSpecial(int32_t id) const override { return parts_.tokens.IsSpecial(id); }
  int vocab_size() const override { return parts_.tokens.size(); }
  int32_t bos_token_id() const override { return parts_.bos_token_id; }
  int32_t eos_token_id() const override { return parts_.eos_token_id; }

 private:
  void EncodeText(std::string_view text, bool is_first, std::vector<int32_t>* ids) const;

  const SentencePieceParts parts_;
};

/// How SentencePiece writes a space: U+2581.
inline constexpr std::string_view kSentencePieceSpace = "\xe2\x96\x81";

/// The bytes that a token stands for: U+2581 is a space, and "<0x0A>" one byte.
std::string SentencePieceBytes(std::string_view token);

}  // namespace tandem::model
