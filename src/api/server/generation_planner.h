#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "api/schema/chat_request.h"
#include "api/schema/completion_request.h"
#include "api/server/api_context.h"
#include "api/server/generation_plan.h"

namespace tandem::api {

/// Checks a request against the model and makes of it what the engine is asked for. Errors name the
/// field. They tokenize, so they may take a while for a long prompt.
absl::StatusOr<GenerationPlan> PlanCompletion(const ApiContext& context,
                                              const CompletionRequest& request,
                                              const std::string& request_id);
absl::StatusOr<GenerationPlan> PlanChat(const ApiContext& context, const ChatRequest& request,
                                        const std::string& request_id);

}  // namespace tandem::api
