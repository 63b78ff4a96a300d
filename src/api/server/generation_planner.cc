#include "api/server/generation_planner.h"

#include <algorithm>
#include <chrono>

#include "api/server/handoff.h"
#include "api/server/reply_format.h"
#include "api/server/sampling_defaults.h"
#include "base/log.h"
#include "base/status.h"

namespace tandem::api {
namespace {

int64_t SecondsSince1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The plan but for its prompts.
absl::StatusOr<GenerationPlan> PlanCommon(const ApiContext& context,
                                          const GenerationRequest& request,
                                          const ReplyFormat& format,
                                          const std::string& request_id) {
  RETURN_IF_ERROR(context.model.CheckName(request.model));
  for (const std::string& field : request.ignored_fields) {
    spdlog::debug("request {}: field {} is not known and is ignored", request_id, field);
  }
  const model::Tokenizer& tokenizer = *context.model.tokenizer;
  GenerationPlan plan;
  plan.request_id = request_id;
  plan.head = {.id = format.id_prefix() + request_id,
               .created = SecondsSince1970(),
               .model = request.model.empty() ? context.model.names.front() : request.model};
  plan.request = request;
  plan.each.cache_salt = request.cache_salt;
  ASSIGN_OR_RETURN(plan.each.sampling, ResolveSampling(request.sampling, context.model.generation,
                                                       tokenizer.vocab_size()));
  plan.each.sampling.logprobs = request.logprobs;
  if (request.kv_transfer) {
    RETURN_IF_ERROR(TakeOver(*request.kv_transfer, tokenizer.vocab_size(), plan.each));
  }
  if (plan.resumed()) {
    plan.resumed_text =
        tokenizer.Decode(request.kv_transfer->resume_tokens, request.sampling.skip_special_tokens);
  }
  return plan;
}

/// The engine checks nothing here: a prefill's min_tokens may exceed the one token it computes.
void LimitMinTokens(GenerationPlan& plan) {
  for (const PlannedPrompt& prompt : plan.prompts) {
    plan.each.sampling.min_tokens = std::min(plan.each.sampling.min_tokens, prompt.max_tokens);
  }
}

std::string EchoOf(const Prompt& prompt, const std::vector<int32_t>& ids,
                   const model::Tokenizer& tokenizer, bool skip_special_tokens) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  return tokenizer.Decode(ids, skip_special_tokens);
}

}  // namespace

absl::StatusOr<GenerationPlan> PlanCompletion(const ApiContext& context,
                                              const CompletionRequest& request,
                                              const std::string& request_id) {
  const SamplingRequest& sampling = request.generation.sampling;
  ASSIGN_OR_RETURN(GenerationPlan plan,
                   PlanCommon(context, request.generation, CompletionFormat(), request_id));
  plan.echo = request.echo;
  plan.no_output = sampling.max_tokens == 0;
  if (plan.echo && request.generation.logprobs && !sampling.prompt_logprobs) {
    plan.each.sampling.prompt_logprobs = request.generation.logprobs;
  }
  const std::optional<int> requested = plan.no_output ? 1 : sampling.max_tokens;
  for (const Prompt& prompt : request.prompts) {
    PlannedPrompt planned;
    ASSIGN_OR_RETURN(planned.ids, context.encoder.Encode(prompt, request.add_special_tokens));
    ASSIGN_OR_RETURN(planned.max_tokens,
                     context.encoder.MaxTokens(static_cast<int>(planned.ids.size()), requested,
                                               kDefaultCompletionTokens));
    if (plan.echo) {
      planned.echo =
          EchoOf(prompt, planned.ids, *context.model.tokenizer, sampling.skip_special_tokens);
    }
    plan.prompts.push_back(std::move(planned));
  }
  LimitMinTokens(plan);
  return plan;
}

absl::StatusOr<GenerationPlan> PlanChat(const ApiContext& context, const ChatRequest& request,
                                        const std::string& request_id) {
  ASSIGN_OR_RETURN(GenerationPlan plan,
                   PlanCommon(context, request.generation, ChatFormat(), request_id));
  PlannedPrompt planned;
  ASSIGN_OR_RETURN(planned.ids, context.encoder.Encode(request.conversation));
  ASSIGN_OR_RETURN(planned.max_tokens,
                   context.encoder.MaxTokens(static_cast<int>(planned.ids.size()),
                                             request.generation.sampling.max_tokens,
                                             context.model.max_model_len));
  plan.prompts.push_back(std::move(planned));
  LimitMinTokens(plan);
  return plan;
}

}  // namespace tandem::api
