#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/string_hash.h"
#include "model/tokenizer/byte_pair_encoder.h"

namespace tandem::model {

/// Token ids by how a checkpoint writes the tokens (in the byte-level alphabet), needed while it is
/// loaded. The keys are views into the checkpoint.
using TokenIds = StringMap<std::string_view, int32_t>;

/// The two tokens of a merge as a checkpoint writes them.
using MergeText = std::pair<std::string_view, std::string_view>;

/// Cuts "left right" at its space; the tokens themselves hold none. InvalidArgument without one.
absl::StatusOr<MergeText> ParseMerge(std::string_view text);

/// The token of each byte, `unknown_token` (-1: none) for a byte without one.
std::array<int32_t, 256> ByteTokens(const TokenIds& ids, int32_t unknown_token);

/// InvalidArgument gives the number of a merge whose tokens or result are not in the vocabulary.
absl::StatusOr<std::vector<Merge>> ResolveMerges(const TokenIds& ids,
                                                 std::span<const MergeText> merges);

}  // namespace tandem::model
