#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/schema/field_reader.h"

namespace tandem::api {

/// The fields of a request that say how tokens are chosen and where the output ends. What is absent
/// was not given: the checkpoint's defaults apply, then vLLM's.
struct SamplingRequest {
  std::optional<float> temperature, top_p, min_p;
  std::optional<float> repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k;
  std::optional<int64_t> seed;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<int32_t> allowed_token_ids;  ///< Empty: all.
  std::vector<std::string> bad_words;
  std::optional<int> max_tokens;
  int min_tokens = 0;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;
  bool include_stop_str_in_output = false;
  bool skip_special_tokens = true;
  std::optional<int> prompt_logprobs;  ///< -1: the whole vocabulary.
};

/// Least that logprobs, top_logprobs and prompt_logprobs may be; the model served sets the most.
inline constexpr int kAllLogprobs = -1;

/// Reads the fields; errors are left in the reader. max_tokens is read from `max_tokens` and, over
/// it, from `max_completion_tokens`; `least_max_tokens` is the least that is accepted.
SamplingRequest ReadSampling(FieldReader& fields, int least_max_tokens);

}  // namespace tandem::api
