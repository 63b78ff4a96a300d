#pragma once

#include "absl/status/status.h"
#include "engine/request.h"

namespace tandem::engine {

/// InvalidArgument, naming the field, its value and what is accepted, if a request can never run.
/// `max_length`: most tokens of prompt and output together.
absl::Status ValidateRequest(const EngineRequest& request, int max_length, int vocab_size);

}  // namespace tandem::engine
