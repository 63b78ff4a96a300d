#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::proxy {

/// Appends to `ids` the numbers of the `token_ids` lists in a chunk of a stream. They are found by
/// text, without parsing the JSON: a quote within a JSON string is escaped, so the member's name
/// cannot occur in one.
void CollectTokenIds(std::string_view chunk, std::vector<int32_t>& ids);

/// Removes `token_ids` and `prompt_token_ids` from a chunk.
void StripTokenIds(std::string& chunk);

/// Whether a chunk without token ids tells the client nothing: no text, no role, no logprobs, no
/// end. A decoder sends such ones only to tell ids.
bool IsEmptyChunk(std::string_view chunk);

/// Whether a chunk has output: neither an opening with the role, nor usage, nor an error.
bool HasText(std::string_view chunk);

/// Whether a choice of the chunk says how it ended.
bool HasFinishReason(std::string_view chunk);

/// Rewrites a chunk of the decoder that continues a stream so that it looks like one of the decoder
/// that began it, whose first chunk was `first`: the same id and time, and no second role. Empty if
/// nothing is left to tell.
std::string ContinueChunk(const std::string& chunk, const std::string& first);

}  // namespace tandem::proxy
