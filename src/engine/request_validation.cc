#include "engine/request_validation.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <string_view>

#include "base/status.h"

namespace tandem::engine {
namespace {

template <typename... Args>
absl::Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

absl::Status ValidateToken(std::string_view field, int32_t token, int vocab_size) {
  if (token >= 0 && token < vocab_size) return absl::OkStatus();
  return Invalid("{}: token id {} is out of vocabulary, which has ids 0 to {}.", field, token,
                 vocab_size - 1);
}

absl::Status ValidateLength(const EngineRequest& request, int max_length) {
  const int prompt = static_cast<int>(request.prompt.size());
  if (prompt == 0) return Invalid("prompt must hold at least one token, got 0.");
  if (prompt >= max_length) {
    return Invalid(
        "This model's maximum context length is {} tokens. However, your request has {} input "
        "tokens. Please reduce the length of the input messages.",
        max_length, prompt);
  }
  const int64_t requested = int64_t{prompt} + request.sampling.max_tokens;
  if (requested > max_length) {
    return Invalid(
        "This model's maximum context length is {} tokens. However, you requested {} tokens ({} in "
        "the messages, {} in the completion). Please reduce the length of the messages or "
        "completion.",
        max_length, requested, prompt, request.sampling.max_tokens);
  }
  return absl::OkStatus();
}

absl::Status ValidateSampling(const SamplingParams& p) {
  if (!(p.temperature >= 0 && p.temperature <= 2))
    return Invalid("temperature must be in [0, 2], got {}.", p.temperature);
  if (!(p.top_p > 0 && p.top_p <= 1)) return Invalid("top_p must be in (0, 1], got {}.", p.top_p);
  if (p.top_k < -1) return Invalid("top_k must be 0 (disable), or at least 1, got {}.", p.top_k);
  if (!(p.min_p >= 0 && p.min_p <= 1)) return Invalid("min_p must be in [0, 1], got {}.", p.min_p);
  if (!(p.repetition_penalty > 0 && std::isfinite(p.repetition_penalty))) {
    return Invalid("repetition_penalty must be finite and greater than zero, got {}.",
                   p.repetition_penalty);
  }
  if (!(p.presence_penalty >= -2 && p.presence_penalty <= 2)) {
    return Invalid("presence_penalty must be in [-2, 2], got {}.", p.presence_penalty);
  }
  if (!(p.frequency_penalty >= -2 && p.frequency_penalty <= 2)) {
    return Invalid("frequency_penalty must be in [-2, 2], got {}.", p.frequency_penalty);
  }
  if (p.max_tokens < 1) return Invalid("max_tokens must be at least 1, got {}.", p.max_tokens);
  if (p.min_tokens < 0) {
    return Invalid("min_tokens must be greater than or equal to 0, got {}.", p.min_tokens);
  }
  if (p.min_tokens > p.max_tokens) {
    return Invalid("min_tokens must be less than or equal to max_tokens={}, got {}.", p.max_tokens,
                   p.min_tokens);
  }
  if (p.logprobs.value_or(0) < 0) {
    return Invalid("logprobs must be non-negative, got {}.", *p.logprobs);
  }
  if (p.prompt_logprobs.value_or(0) < 0) {
    return Invalid("prompt_logprobs must be non-negative, got {}.", *p.prompt_logprobs);
  }
  for (const std::string& stop : p.stop) {
    if (stop.empty()) return Invalid("stop cannot contain an empty string.");
  }
  for (const std::vector<int32_t>& word : p.bad_words) {
    if (word.empty()) return Invalid("bad_words cannot contain an empty token sequence.");
  }
  return absl::OkStatus();
}

absl::Status ValidateTokens(const EngineRequest& request, int vocab_size) {
  const SamplingParams& sampling = request.sampling;
  const auto check = [vocab_size](std::string_view field, const std::vector<int32_t>& tokens) {
    for (const int32_t token : tokens) RETURN_IF_ERROR(ValidateToken(field, token, vocab_size));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(check("prompt", request.prompt));
  RETURN_IF_ERROR(check("stop_token_ids", sampling.stop_token_ids));
  RETURN_IF_ERROR(check("allowed_token_ids", sampling.allowed_token_ids));
  for (const std::vector<int32_t>& word : sampling.bad_words) {
    RETURN_IF_ERROR(check("bad_words", word));
  }
  for (const auto& [token, bias] : sampling.logit_bias) {
    RETURN_IF_ERROR(ValidateToken("logit_bias", token, vocab_size));
  }
  for (const GivenToken& given : request.given) {
    RETURN_IF_ERROR(ValidateToken("given", given.token, vocab_size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateRequest(const EngineRequest& request, int max_length, int vocab_size) {
  RETURN_IF_ERROR(ValidateSampling(request.sampling));
  RETURN_IF_ERROR(ValidateLength(request, max_length));
  RETURN_IF_ERROR(ValidateTokens(request, vocab_size));
  if (request.given_already_sent < 0 ||
      static_cast<size_t>(request.given_already_sent) > request.given.size()) {
    return Invalid("given_already_sent must be in [0, {}], got {}.", request.given.size(),
                   request.given_already_sent);
  }
  return absl::OkStatus();
}

}  // namespace tandem::engine
