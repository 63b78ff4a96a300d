#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tandem::api {

/// A token that could stand at a position.
struct TokenChoice {
  int32_t id = 0;
  std::string text;   ///< Valid UTF-8.
  std::string bytes;  ///< What it stands for; not necessarily whole characters.
  float logprob = 0;
  int rank = 0;  ///< 1 = the most likely.
};

/// The token at a position, and the most likely ones there, most likely first. A prompt's first
/// token has no log-probability.
struct PositionLogprobs {
  TokenChoice token;
  std::vector<TokenChoice> top;
  bool has_logprob = true;
};

/// The `logprobs` of completions: parallel lists of tokens, token_logprobs, top_logprobs and
/// text_offset (in characters). `text_offset` is where the first token stands; it is moved to
/// behind the last. The token itself is always among its top_logprobs.
boost::json::object CompletionLogprobs(const std::vector<PositionLogprobs>& positions,
                                       int64_t& text_offset);

/// The `logprobs` of chat: {"content": [{token, logprob, bytes, top_logprobs}]}.
boost::json::object ChatLogprobs(const std::vector<PositionLogprobs>& positions);

/// `prompt_logprobs` as vLLM gives it: for each token null (the first) or an object of token id →
/// {logprob, rank, decoded_token}.
boost::json::array PromptLogprobs(const std::vector<PositionLogprobs>& positions);

/// Characters (code points) of valid UTF-8.
int64_t CountCharacters(std::string_view text);

}  // namespace tandem::api
