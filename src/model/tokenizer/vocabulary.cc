#include "model/tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <string>

#include "base/status.h"
#include "model/tokenizer/byte_level.h"

namespace tandem::model {

absl::StatusOr<MergeText> ParseMerge(std::string_view text) {
  const size_t space = text.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == text.size()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no merge; accepted: two tokens with a space between them", text));
  }
  return MergeText(text.substr(0, space), text.substr(space + 1));
}

std::array<int32_t, 256> ByteTokens(const TokenIds& ids, int32_t unknown_token) {
  std::array<int32_t, 256> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(ByteLevelCharacter(static_cast<uint8_t>(byte)));
    tokens[byte] = found == ids.end() ? unknown_token : found->second;
  }
  return tokens;
}

absl::StatusOr<std::vector<Merge>> ResolveMerges(const TokenIds& ids,
                                                 std::span<const MergeText> merges) {
  std::vector<Merge> resolved;
  resolved.reserve(merges.size());
  std::string joined;
  const auto find = [&](std::string_view token) -> absl::StatusOr<int32_t> {
    const auto found = ids.find(token);
    if (found != ids.end()) return found->second;
    return absl::InvalidArgumentError(
        fmt::format("merge {} makes use of the token \"{}\", which is not in the vocabulary",
                    resolved.size(), token));
  };
  for (const auto& [left, right] : merges) {
    joined.assign(left).append(right);
    Merge merge;
    ASSIGN_OR_RETURN(merge.left, find(left));
    ASSIGN_OR_RETURN(merge.right, find(right));
    ASSIGN_OR_RETURN(merge.result, find(joined));
    resolved.push_back(merge);
  }
  return resolved;
}

}  // namespace tandem::model
