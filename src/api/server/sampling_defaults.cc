#include "api/server/sampling_defaults.h"

#include <fmt/format.h>

#include "api/schema/error.h"
#include "api/server/bad_words.h"
#include "base/status.h"

namespace tandem::api {
namespace {

template <typename T>
T Choose(const std::optional<T>& requested, const std::optional<T>& shipped, T otherwise) {
  return requested ? *requested : shipped.value_or(otherwise);
}

absl::Status CheckToken(const char* field, int32_t token, int vocab_size) {
  if (token < vocab_size) return absl::OkStatus();
  return FieldError(field, fmt::format("{} names token id {}; ids from 0 to {} are accepted", field,
                                       token, vocab_size - 1));
}

absl::Status CheckTokens(const SamplingRequest& request, int vocab_size) {
  for (const auto& [token, bias] : request.logit_bias) {
    RETURN_IF_ERROR(CheckToken("logit_bias", token, vocab_size));
  }
  for (const int32_t token : request.allowed_token_ids) {
    RETURN_IF_ERROR(CheckToken("allowed_token_ids", token, vocab_size));
  }
  for (const int32_t token : request.stop_token_ids) {
    RETURN_IF_ERROR(CheckToken("stop_token_ids", token, vocab_size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<engine::SamplingParams> ResolveSampling(const SamplingRequest& request,
                                                       const model::GenerationDefaults& defaults,
                                                       const model::Tokenizer& tokenizer,
                                                       int vocab_size) {
  RETURN_IF_ERROR(CheckTokens(request, vocab_size));
  engine::SamplingParams params;
  params.temperature = Choose(request.temperature, defaults.temperature, params.temperature);
  params.top_p = Choose(request.top_p, defaults.top_p, params.top_p);
  params.top_k = Choose(request.top_k, defaults.top_k, params.top_k);
  params.min_p = Choose(request.min_p, defaults.min_p, params.min_p);
  params.repetition_penalty =
      Choose(request.repetition_penalty, defaults.repetition_penalty, params.repetition_penalty);
  params.presence_penalty = request.presence_penalty.value_or(params.presence_penalty);
  params.frequency_penalty = request.frequency_penalty.value_or(params.frequency_penalty);
  params.logit_bias = request.logit_bias;
  params.allowed_token_ids = request.allowed_token_ids;
  ASSIGN_OR_RETURN(params.bad_words, BadWordTokens(request.bad_words, tokenizer));
  if (request.seed) params.seed = static_cast<uint64_t>(*request.seed);
  params.max_tokens = request.max_tokens.value_or(params.max_tokens);
  params.min_tokens = request.min_tokens;
  params.stop = request.stop;
  params.stop_token_ids = request.stop_token_ids;
  params.ignore_eos = request.ignore_eos;
  params.include_stop_str_in_output = request.include_stop_str_in_output;
  params.skip_special_tokens = request.skip_special_tokens;
  return params;
}

}  // namespace tandem::api
