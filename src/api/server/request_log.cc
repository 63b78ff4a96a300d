#include "api/server/request_log.h"

#include "base/log.h"

namespace tandem::api {

RequestLog::RequestLog(const Clock& clock, bool enabled)
    : clock_(clock), enabled_(enabled), started_(clock.Now()) {}

void RequestLog::Start(const std::string& path, const GenerationPlan& plan) {
  if (!enabled_) return;
  size_t prompt_tokens = 0;
  for (const PlannedPrompt& prompt : plan.prompts) prompt_tokens += prompt.ids.size();
  spdlog::info(
      "request {}: {} prompt_tokens={} max_tokens={} choices={} stream={}{}{}", plan.request_id,
      path, prompt_tokens, plan.prompts.front().max_tokens, plan.choices(), plan.request.stream,
      plan.each.wait_for_commit ? " prefill_only=true" : "",
      plan.each.given.empty() ? ""
                              : fmt::format(" given_tokens={} committed_tokens={}",
                                            plan.each.given.size(), plan.each.committed_tokens));
}

void RequestLog::Note(const engine::EngineOutput& output) {
  if (!first_token_ && !output.tokens.empty()) first_token_ = clock_.Now();
  if (!output.finished) return;
  prompt_tokens_ += output.prompt_tokens;
  generated_tokens_ += output.generated_tokens;
  cached_tokens_ += output.cached_tokens;
  computed_tokens_ += output.computed_prompt_tokens;
  committed_tokens_ += output.committed_tokens;
  loaded_bytes_ += output.loaded_bytes;
  load_seconds_ += output.load_seconds;
}

void RequestLog::End(const std::string& request_id, const std::string& how) {
  if (!enabled_) return;
  const TimePoint now = clock_.Now();
  const double first_token = first_token_ ? Seconds(*first_token_ - started_) : 0.0;
  spdlog::info(
      "request {}: ended ({}) prompt_tokens={} generated={} cached={} computed={} committed={} "
      "loaded_bytes={} load_ms={:.1f} ttft_ms={:.1f} duration_ms={:.1f}",
      request_id, how, prompt_tokens_, generated_tokens_, cached_tokens_, computed_tokens_,
      committed_tokens_, loaded_bytes_, load_seconds_ * 1e3, first_token * 1e3,
      Seconds(now - started_) * 1e3);
}

}  // namespace tandem::api
