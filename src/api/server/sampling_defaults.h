#pragma once

#include "absl/status/statusor.h"
#include "api/schema/sampling_request.h"
#include "engine/request.h"
#include "model/model_config.h"

namespace tandem::api {

/// What the engine is to do for a request: its own fields, else the checkpoint's defaults, else
/// vLLM's. max_tokens stays as the engine's default where the request names none. InvalidArgument
/// if logit_bias or stop_token_ids names a token outside the vocabulary.
absl::StatusOr<engine::SamplingParams> ResolveSampling(const SamplingRequest& request,
                                                       const model::GenerationDefaults& defaults,
                                                       int vocab_size);

}  // namespace tandem::api
