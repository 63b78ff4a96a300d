#include "api/schema/sampling_request.h"

#include <algorithm>
#include <charconv>

#include "api/schema/choice_seed.h"

namespace tandem::api {
namespace {

constexpr Range kPenalty{.least = -2, .most = 2};

/// vLLM's limits.
constexpr double kMaxBias = 100;
constexpr size_t kMaxStopStrings = 4;

void ReadStop(FieldReader& fields, std::vector<std::string>& stop) {
  constexpr std::string_view kAccepted =
      "a string or a list of at most 4 strings, none of them empty";
  const boost::json::value* found = fields.Find("stop");
  if (found == nullptr) return;
  if (found->is_string()) {
    stop.emplace_back(std::string_view(found->get_string()));
  } else if (found->is_array()) {
    for (const boost::json::value& element : found->get_array()) {
      if (!element.is_string()) return fields.Fail("stop", kAccepted);
      stop.emplace_back(std::string_view(element.get_string()));
    }
  } else {
    return fields.Fail("stop", kAccepted);
  }
  if (stop.size() > kMaxStopStrings) return fields.Fail("stop", kAccepted);
  for (const std::string& text : stop) {
    if (text.empty()) return fields.Fail("stop", kAccepted);
  }
}

void ReadBadWords(FieldReader& fields, std::vector<std::string>& bad_words) {
  constexpr std::string_view kAccepted = "a list of strings, none of them empty";
  const boost::json::value* found = fields.Find("bad_words");
  if (found == nullptr) return;
  if (!found->is_array()) return fields.Fail("bad_words", kAccepted);
  for (const boost::json::value& element : found->get_array()) {
    if (!element.is_string() || element.get_string().empty()) {
      return fields.Fail("bad_words", kAccepted);
    }
    bad_words.emplace_back(std::string_view(element.get_string()));
  }
}

void ReadAllowedTokens(FieldReader& fields, std::vector<int32_t>& allowed) {
  fields.Read("allowed_token_ids", allowed);
  if (fields.Find("allowed_token_ids") != nullptr && allowed.empty()) {
    fields.Fail("allowed_token_ids", "a list of at least one token id");
  }
}

void ReadSeed(FieldReader& fields, std::optional<int64_t>& seed) {
  fields.Read("seed", seed);
  if (seed == kNoSeed) seed.reset();
}

void ReadLogitBias(FieldReader& fields, std::vector<std::pair<int32_t, float>>& logit_bias) {
  constexpr std::string_view kAccepted =
      "an object of token ids and numbers, {\"<token id>\": <number>}";
  const boost::json::value* found = fields.Find("logit_bias");
  if (found == nullptr) return;
  if (!found->is_object()) return fields.Fail("logit_bias", kAccepted);
  for (const auto& member : found->get_object()) {
    const std::string_view key = member.key();
    int32_t token = -1;
    const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), token);
    boost::json::error_code error;
    const auto bias = member.value().to_number<double>(error);
    if (error || failure != std::errc() || end != key.data() + key.size() || token < 0) {
      return fields.Fail("logit_bias", kAccepted);
    }
    logit_bias.emplace_back(token, static_cast<float>(std::clamp(bias, -kMaxBias, kMaxBias)));
  }
}

}  // namespace

SamplingRequest ReadSampling(FieldReader& fields, int least_max_tokens) {
  SamplingRequest request;
  fields.Read("temperature", request.temperature, {.least = 0, .most = 2});
  fields.Read("top_p", request.top_p, {.least = 0, .most = 1, .above_least = true});
  fields.Read("top_k", request.top_k, {.least = -1});
  fields.Read("min_p", request.min_p, {.least = 0, .most = 1});
  fields.Read("repetition_penalty", request.repetition_penalty, {.least = 0, .above_least = true});
  fields.Read("presence_penalty", request.presence_penalty, kPenalty);
  fields.Read("frequency_penalty", request.frequency_penalty, kPenalty);
  ReadSeed(fields, request.seed);
  ReadLogitBias(fields, request.logit_bias);
  ReadAllowedTokens(fields, request.allowed_token_ids);
  ReadBadWords(fields, request.bad_words);

  const Range max_tokens{.least = static_cast<double>(least_max_tokens)};
  fields.Read("max_tokens", request.max_tokens, max_tokens);
  fields.Read("max_completion_tokens", request.max_tokens, max_tokens);
  fields.Read("min_tokens", request.min_tokens, {.least = 0});
  ReadStop(fields, request.stop);
  fields.Read("stop_token_ids", request.stop_token_ids);
  fields.Read("ignore_eos", request.ignore_eos);
  fields.Read("include_stop_str_in_output", request.include_stop_str_in_output);
  fields.Read("skip_special_tokens", request.skip_special_tokens);
  fields.Read("prompt_logprobs", request.prompt_logprobs, {.least = kAllLogprobs});
  return request;
}

}  // namespace tandem::api
