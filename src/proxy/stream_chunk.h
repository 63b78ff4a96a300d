#pragma once

#include <cstdint>
#include <optional>
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

/// The message of an error event with code 503, by which an instance ends a stream that another one
/// can continue; empty for any other event.
std::string Refusal(std::string_view event);

/// Where in the client's stream a continued choice stands.
struct ChoicePlace {
  int index = 0;       ///< That its chunks are to have.
  bool opened = true;  ///< The client has its role.
};

/// Rewrites a chunk of the decoder that continues a stream so that it looks like one of the decoder
/// that began it, whose first chunk was `first`: the same id and time, and no second role. Empty if
/// nothing is left to tell.
std::string ContinueChunk(const std::string& chunk, const std::string& first,
                          const ChoicePlace& place = {});

/// What a chunk tells of one choice.
struct ChoiceNews {
  int choice = 0;
  std::vector<int32_t> ids;
  std::optional<int> prompt_tokens;  ///< If the chunk lists them.
  bool has_text = false;
  bool finished = false;
};

/// What a chunk of several choices' stream tells, by parsing it; empty for usage and errors.
std::vector<ChoiceNews> ReadChoices(std::string_view chunk);

/// The prompt tokens of a chunk that tells usage alone; nothing for any other.
std::optional<int> PromptTokensOfUsage(std::string_view chunk);

/// The chunk with the usage of a stream whose first chunk was `first`.
std::string UsageChunk(const std::string& first, int prompt_tokens, int completion_tokens);

}  // namespace tandem::proxy
