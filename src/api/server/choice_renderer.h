#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/schema/usage.h"
#include "api/server/generation_plan.h"
#include "api/server/reply_format.h"
#include "api/server/token_describer.h"
#include "engine/request.h"
#include "model/tokenizer.h"

namespace tandem::api {

/// Turns the engine's outputs for one choice into parts of the reply, the first of which also holds
/// what is asked for about the prompt. For use by one thread at a time.
class ChoiceRenderer {
 public:
  /// For the plan's `choice`, which the reply knows as `index`. All outlive it.
  ChoiceRenderer(const GenerationPlan& plan, int choice, int index, const ReplyFormat& format,
                 const model::Tokenizer& tokenizer);

  ChoicePart Render(const engine::EngineOutput& output);
  /// Whether nothing has been rendered yet.
  bool first() const { return first_; }

 private:
  void AddPrompt(const engine::EngineOutput& output, std::vector<PositionLogprobs>& positions,
                 ChoicePart& part) const;

  const GenerationPlan& plan_;
  const int choice_;
  const int index_;
  const ReplyFormat& format_;
  const TokenDescriber describer_;
  int64_t text_offset_ = 0;
  bool first_ = true;
};

/// The token counts of one choice so far.
Usage UsageOf(const engine::EngineOutput& output);

/// The counts of all choices together; the `n` choices of a prompt share its tokens.
Usage TotalUsage(const std::vector<Usage>& choices, int n);

/// OpenAI's name of a reason.
std::string FinishReasonName(engine::FinishReason reason);

}  // namespace tandem::api
