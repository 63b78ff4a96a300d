#include "api/server/choice_renderer.h"

#include <algorithm>
#include <charconv>

namespace tandem::api {
namespace {

/// What ended a choice: a stop string as it is, a token as a number, null if the engine names none.
boost::json::value StopReason(const engine::SamplingParams& sampling,
                              const std::string& stop_reason) {
  if (stop_reason.empty()) return nullptr;
  const auto& stop = sampling.stop;
  if (std::find(stop.begin(), stop.end(), stop_reason) != stop.end()) {
    return boost::json::value(stop_reason);
  }
  int32_t token = 0;
  std::from_chars(stop_reason.data(), stop_reason.data() + stop_reason.size(), token);
  return token;
}

}  // namespace

Usage UsageOf(const engine::EngineOutput& output) {
  return {.prompt_tokens = output.prompt_tokens,
          .completion_tokens = output.generated_tokens,
          .cached_tokens = output.cached_tokens};
}

Usage TotalUsage(const std::vector<Usage>& choices, int n) {
  Usage total;
  for (size_t choice = 0; choice < choices.size(); ++choice) {
    total.completion_tokens += choices[choice].completion_tokens;
    if (choice % n != 0) continue;
    total.prompt_tokens += choices[choice].prompt_tokens;
    total.cached_tokens += choices[choice].cached_tokens;
  }
  return total;
}

std::string FinishReasonName(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kStop:
      return "stop";
    case engine::FinishReason::kLength:
      return "length";
    case engine::FinishReason::kAbort:
      return "abort";
    case engine::FinishReason::kError:
      return "error";
  }
  return "error";
}

ChoiceRenderer::ChoiceRenderer(const GenerationPlan& plan, int choice, int index,
                               const ReplyFormat& format, const model::Tokenizer& tokenizer)
    : plan_(plan),
      choice_(choice),
      index_(index),
      format_(format),
      describer_(tokenizer, plan.request.return_tokens_as_token_ids),
      text_offset_(CountCharacters(plan.resumed_text)),
      first_(!plan.resumed()) {}

void ChoiceRenderer::AddPrompt(const engine::EngineOutput& output,
                               std::vector<PositionLogprobs>& positions, ChoicePart& part) const {
  const PlannedPrompt& prompt = plan_.prompt_of(choice_);
  if (plan_.request.return_token_ids) part.details.prompt_token_ids = prompt.ids;
  const bool echo_logprobs = plan_.echo && plan_.request.logprobs;
  const bool report_logprobs = plan_.request.sampling.prompt_logprobs.has_value();
  part.text = prompt.echo;
  if (!echo_logprobs && !report_logprobs) return;
  std::vector<PositionLogprobs> of_prompt =
      describer_.DescribePrompt(prompt.ids, output.prompt_logprobs);
  if (report_logprobs) part.details.prompt_logprobs = PromptLogprobs(of_prompt);
  if (echo_logprobs) positions = std::move(of_prompt);
}

ChoicePart ChoiceRenderer::Render(const engine::EngineOutput& output) {
  ChoicePart part;
  std::vector<PositionLogprobs> positions;
  if (first_) AddPrompt(output, positions, part);
  first_ = false;
  part.text += output.text;
  part.details.index = index_;
  if (plan_.request.return_token_ids) part.details.token_ids = output.tokens;
  if (plan_.request.logprobs) {
    for (const engine::TokenLogprobs& logprobs : output.logprobs) {
      positions.push_back(describer_.Describe(logprobs));
    }
    part.details.logprobs = format_.Logprobs(positions, text_offset_);
  }
  if (output.finished) {
    part.details.finish_reason = FinishReasonName(output.reason);
    part.details.stop_reason = StopReason(plan_.each.sampling, output.stop_reason);
  }
  return part;
}

}  // namespace tandem::api
