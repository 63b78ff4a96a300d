#include "engine/output_assembler.h"

#include <utility>

namespace tandem::engine {

OutputAssembler::OutputAssembler(const EngineRequest& request, const model::Tokenizer& tokenizer,
                                 const EndTokens& end)
    : request_(request),
      stop_checker_(request.sampling, end),
      detokenizer_(tokenizer, request.sampling.skip_special_tokens),
      stop_strings_(request.sampling.stop, request.sampling.include_stop_str_in_output) {}

void OutputAssembler::Append(int32_t token, std::optional<TokenLogprobs> logprobs, bool emit) {
  ++generated_;
  const StopChecker::Verdict verdict =
      stop_checker_.Check(token, generated_, static_cast<int>(request_.prompt.size()));
  const std::string text = AppendText(token, verdict);
  if (stop_strings_.matched()) {
    Finish(FinishReason::kStop, *stop_strings_.matched());
  } else if (verdict == StopChecker::Verdict::kStopToken) {
    Finish(FinishReason::kStop, stop_checker_.StopReason(token));
  } else if (verdict == StopChecker::Verdict::kLength) {
    Finish(FinishReason::kLength, "");
  }
  if (!emit) return;
  output_.tokens.push_back(token);
  output_.text += text;
  if (request_.sampling.logprobs) {
    output_.logprobs.push_back(std::move(logprobs).value_or(TokenLogprobs{.token = token}));
  }
}

// The text that `token` sets free; all that was held back if it is the last.
std::string OutputAssembler::AppendText(int32_t token, StopChecker::Verdict verdict) {
  const bool stop_token = verdict == StopChecker::Verdict::kStopToken;
  const bool last = verdict != StopChecker::Verdict::kContinue;
  std::string text;
  if (!stop_token || request_.sampling.include_stop_str_in_output) {
    text = detokenizer_.Append(token);
  }
  if (last) text += detokenizer_.Flush();
  // As in vLLM, stop strings end the output only after more than min_tokens tokens, if those are
  // asked for, and a stop token ends it before any stop string.
  const bool may_stop = !stop_token && (request_.sampling.min_tokens == 0 ||
                                        generated_ > request_.sampling.min_tokens);
  std::string shown = stop_strings_.Append(text, may_stop);
  if (last && !stop_strings_.matched()) shown += stop_strings_.Flush();
  return shown;
}

void OutputAssembler::Finish(FinishReason reason, std::string stop_reason) {
  finished_ = true;
  output_.finished = true;
  output_.reason = reason;
  output_.stop_reason = std::move(stop_reason);
}

EngineOutput OutputAssembler::Take() { return std::exchange(output_, EngineOutput()); }

}  // namespace tandem::engine
