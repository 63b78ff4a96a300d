#pragma once

#include "absl/status/statusor.h"
#include "api/schema/sampling_request.h"
#include "engine/request.h"
#include "model/model_config.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// What the engine is to do for a request: its own fields, else the checkpoint's defaults, else
/// vLLM's. max_tokens stays as the engine's default where the request names none; logprobs and
/// prompt_logprobs are left out. InvalidArgument if logit_bias, allowed_token_ids or stop_token_ids
/// name a token outside the model's vocabulary, or for bad_words.
absl::StatusOr<engine::SamplingParams> ResolveSampling(const SamplingRequest& request,
                                                       const model::GenerationDefaults& defaults,
                                                       const model::Tokenizer& tokenizer,
                                                       int vocab_size);

}  // namespace tandem::api
