#include "model/tokenizer/sentencepiece_parts.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "base/status.h"
#include "model/tokenizer/utf8.h"

namespace tandem::model {
namespace {

absl::StatusOr<std::array<int32_t, 256>> FindByteTokens(const TokenIds& ids) {
  std::array<int32_t, 256> byte_tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string token = fmt::format("<0x{:02X}>", byte);
    const auto found = ids.find(token);
    if (found == ids.end()) {
      return absl::InvalidArgumentError(fmt::format(
          "the vocabulary has no token {}, which characters without a token make use of", token));
    }
    byte_tokens[byte] = found->second;
  }
  return byte_tokens;
}

}  // namespace

absl::StatusOr<SentencePieceParts> MakeSentencePieceParts(TokenTable tokens, const TokenIds& ids,
                                                          std::span<const Merge> merges,
                                                          std::vector<AddedToken> added) {
  ASSIGN_OR_RETURN(const auto byte_tokens, FindByteTokens(ids));
  StringMap<std::string, int32_t> characters;
  for (const auto& [token, id] : ids) {
    if (!token.empty() && FirstCharacter(token).size == token.size()) characters.emplace(token, id);
  }
  return SentencePieceParts{.tokens = std::move(tokens),
                            .added_tokens = AddedTokens(std::move(added), Normalization::kNone),
                            .encoder = BytePairEncoder(byte_tokens, merges),
                            .characters = std::move(characters),
                            .byte_tokens = byte_tokens};
}

}  // namespace tandem::model
