#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace tandem::engine {

/// How the next token is chosen, in vLLM's terms.
struct SamplingParams {
  float temperature = 1.0f;  ///< 0 is greedy; what lies between that and 0.01 counts as 0.01.
  float top_p = 1.0f;
  int top_k = 0;  ///< 0 or -1: all.
  float min_p = 0.0f;
  float repetition_penalty = 1.0f;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<int32_t> allowed_token_ids;       ///< Empty: all.
  std::vector<std::vector<int32_t>> bad_words;  ///< Token sequences that must not be completed.
  std::optional<uint64_t> seed;                 ///< Absent: drawn by the engine.
  int max_tokens = 16;
  int min_tokens = 0;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;
  bool include_stop_str_in_output = false;
  bool skip_special_tokens = true;
  std::optional<int> logprobs;         ///< Most likely tokens to report at each step.
  std::optional<int> prompt_logprobs;  ///< The same for each prompt token.
};

/// One token with its log-probability and rank (1 = most likely), and the most likely ones there.
struct TokenLogprobs {
  int32_t token = 0;
  float logprob = 0;
  int rank = 0;
  std::vector<std::pair<int32_t, float>> top;
};

/// A token that another instance sampled: emitted as it is, never sampled again.
struct GivenToken {
  int32_t token = 0;
  std::optional<TokenLogprobs> logprobs;
};

/// What the engine is asked for.
struct EngineRequest {
  std::string id;
  std::vector<int32_t> prompt;  ///< At least one id, each in the vocabulary.
  SamplingParams sampling;
  std::string cache_salt;
  int64_t priority = 0;           ///< Lower goes first, where the engine schedules by priority.
  int committed_tokens = -1;      ///< What the prefiller committed; -1 if it said nothing.
  std::vector<GivenToken> given;  ///< The first tokens of the output, already sampled.
  int given_already_sent = 0;     ///< How many of them the client has: replayed, not emitted.
  bool wait_for_commit = false;   ///< The last output waits until the prompt's KV is committed.
};

enum class FinishReason { kStop, kLength, kAbort, kError };

/// A step of the output. Text is what can be shown so far: it never ends inside a character and
/// never holds the start of what may become a stop string.
struct EngineOutput {
  std::vector<int32_t> tokens;
  std::string text;
  /// One a token if asked for; without values (rank 0) for a given token that came without them.
  std::vector<TokenLogprobs> logprobs;
  /// In the first output if asked for: one a prompt token, [0] empty. Absent if given tokens end
  /// the output, or if the client has some of them.
  std::vector<TokenLogprobs> prompt_logprobs;
  bool finished = false;
  FinishReason reason = FinishReason::kStop;
  std::string stop_reason;  ///< The stop string, or the stop token's id, that ended it.
  absl::Status error;       ///< With kError.
  int prompt_tokens = 0;
  int generated_tokens = 0;        ///< So far, given ones included.
  int cached_tokens = 0;           ///< Prompt tokens that were loaded or found, not computed.
  int computed_prompt_tokens = 0;  ///< Those computed here, again after a preemption included.
  int committed_tokens = 0;        ///< In the last output, with wait_for_commit.
  int64_t loaded_bytes = 0;
  int64_t saved_bytes = 0;  ///< Of the prompt's KV, stored for this request; in the last output.
  double load_seconds = 0;  ///< From the start of the lookup to the end of the load.
};

/// Receives a request's outputs on the engine's thread, in order; the last has `finished`. Must not
/// block.
using OutputCallback = std::function<void(const EngineOutput&)>;

}  // namespace tandem::engine
