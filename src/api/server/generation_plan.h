#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/schema/completion_response.h"
#include "api/schema/generation_request.h"
#include "engine/request.h"

namespace tandem::api {

/// A prompt as the engine gets it.
struct PlannedPrompt {
  std::vector<int32_t> ids;
  std::string echo;  ///< What stands before the output; empty unless asked for.
  int max_tokens = 0;
};

/// What one HTTP request asks of the engine: `request.best_of` choices for each prompt, of which
/// `request.n` are returned. Choice i belongs to prompt i / best_of.
struct GenerationPlan {
  std::string request_id;
  ReplyHead head;
  GenerationRequest request;
  std::vector<PlannedPrompt> prompts;
  engine::EngineRequest each;  ///< What all choices have in common.
  bool echo = false;
  bool no_output = false;    ///< Only the prompt is wanted (echo with max_tokens 0).
  std::string resumed_text;  ///< What the client of a resumed stream has.

  int choices() const { return static_cast<int>(prompts.size()) * request.best_of; }
  const PlannedPrompt& prompt_of(int choice) const { return prompts[choice / request.best_of]; }
  /// A stream that goes on where another instance's broke off.
  bool resumed() const { return each.given_already_sent > 0; }
};

}  // namespace tandem::api
