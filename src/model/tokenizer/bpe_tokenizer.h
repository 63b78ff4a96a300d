#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/string_hash.h"
#include "model/tokenizer.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/byte_pair_encoder.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/token_table.h"

namespace tandem::model {

/// What a checkpoint says about its tokenizer.
struct BpeTokenizerParts {
  TokenTable tokens;
  AddedTokens added_tokens;
  PreTokenizer pre_tokenizer;
  BytePairEncoder encoder;
  /// A piece that is a token as a whole becomes it, whatever the merges say.
  bool ignore_merges = false;
  std::vector<int32_t> prefix;  ///< Special tokens that the checkpoint asks for before a text...
  std::vector<int32_t> suffix;  ///< ... and behind it.
  int32_t bos_token_id = -1;
  int32_t eos_token_id = -1;
};

/// Byte-level BPE: added tokens are cut out, the rest is split into pieces, and each is encoded.
class BpeTokenizer : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeTokenizerParts parts);

  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override;
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  std::string_view Bytes(int32_t id) const override { return parts_.tokens.Bytes(id); }
  bool IsSpecial(int32_t id) const override { return parts_.tokens.IsSpecial(id); }
  int vocab_size() const override { return parts_.tokens.size(); }
  int32_t bos_token_id() const override { return parts_.bos_token_id; }
  int32_t eos_token_id() const override { return parts_.eos_token_id; }

 private:
  void EncodeText(std::string_view text, std::vector<int32_t>* ids) const;

  const BpeTokenizerParts parts_;
  StringMap<std::string_view, int32_t> whole_pieces_;  ///< Filled if merges are to be ignored.
};

}  // namespace tandem::model
