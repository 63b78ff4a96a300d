#include "api/server/generation_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/schema/error.h"
#include "api/server/handoff.h"
#include "api/server/reply_format.h"
#include "api/server/sampling_defaults.h"
#include "base/status.h"

namespace tandem::api {
namespace {

int64_t SecondsSince1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// How many alternatives the engine is to report; InvalidArgument names `field`.
absl::StatusOr<std::optional<int>> LogprobCount(const ServedModel& model, const char* field,
                                                std::optional<int> requested) {
  if (!requested) return std::optional<int>();
  const int vocab_size = model.vocab_size;
  const int most = model.max_logprobs == kAllLogprobs ? vocab_size : model.max_logprobs;
  const int count = *requested == kAllLogprobs ? vocab_size : *requested;
  if (count <= most) return std::optional(count);
  return FieldError(
      field, fmt::format("{} must be at most {} here (--max-logprobs), got {}{}", field, most,
                         *requested, *requested == kAllLogprobs ? ", which means all" : ""));
}

absl::Status CheckPolicies(const ServedModel& model, const GenerationRequest& request,
                           const engine::SamplingParams& sampling) {
  if (request.priority != 0 && !model.priority_scheduling) {
    return FieldError("priority", fmt::format("priority must be 0 unless the instance runs with "
                                              "--scheduling-policy priority, got {}",
                                              request.priority));
  }
  if (request.best_of > 1 && sampling.temperature == 0) {
    const char* field = request.n > 1 ? "n" : "best_of";
    return FieldError(field, fmt::format("{} must be 1 when using greedy sampling, got {}", field,
                                         request.n > 1 ? request.n : request.best_of));
  }
  return absl::OkStatus();
}

/// The plan but for its prompts. `logprobs_field` names the field that logprobs were read from.
absl::StatusOr<GenerationPlan> PlanCommon(const ApiContext& context,
                                          const GenerationRequest& request,
                                          const ReplyFormat& format, const char* logprobs_field,
                                          const std::string& request_id) {
  RETURN_IF_ERROR(context.model.CheckName(request.model));
  context.ignored_fields.Note(request_id, request.ignored_fields);
  const model::Tokenizer& tokenizer = *context.model.tokenizer;
  GenerationPlan plan;
  plan.request_id = request_id;
  plan.head = {.id = format.id_prefix() + request_id,
               .created = SecondsSince1970(),
               .model = request.model.empty() ? context.model.names.front() : request.model};
  plan.request = request;
  plan.each.cache_salt = request.cache_salt;
  plan.each.priority = request.priority;
  engine::SamplingParams& sampling = plan.each.sampling;
  ASSIGN_OR_RETURN(sampling, ResolveSampling(request.sampling, context.model.generation, tokenizer,
                                             context.model.vocab_size));
  RETURN_IF_ERROR(CheckPolicies(context.model, request, sampling));
  ASSIGN_OR_RETURN(sampling.logprobs,
                   LogprobCount(context.model, logprobs_field, request.logprobs));
  ASSIGN_OR_RETURN(sampling.prompt_logprobs, LogprobCount(context.model, "prompt_logprobs",
                                                          request.sampling.prompt_logprobs));
  // The best are found by the log-probabilities of their tokens.
  if (request.best_of > request.n && !sampling.logprobs) sampling.logprobs = 0;
  if (request.kv_transfer) {
    RETURN_IF_ERROR(TakeOver(*request.kv_transfer, context.model.vocab_size, plan.each));
  }
  if (plan.resumed()) {
    plan.resumed_text =
        tokenizer.Decode(request.kv_transfer->resume_tokens, request.sampling.skip_special_tokens);
  }
  return plan;
}

/// Also against a max_tokens that was not given. The sender of a prefill has put 1 in its place.
absl::Status CheckMinTokens(GenerationPlan& plan) {
  const bool first_token_only = plan.request.kv_transfer && plan.request.kv_transfer->ret_first_tok;
  int& min_tokens = plan.each.sampling.min_tokens;
  for (const PlannedPrompt& prompt : plan.prompts) {
    if (min_tokens > prompt.max_tokens && !first_token_only) {
      return FieldError("min_tokens",
                        fmt::format("min_tokens must be at most max_tokens, {}, got {}",
                                    prompt.max_tokens, min_tokens));
    }
    min_tokens = std::min(min_tokens, prompt.max_tokens);
  }
  return absl::OkStatus();
}

std::string EchoOf(const Prompt& prompt, const std::vector<int32_t>& ids,
                   const model::Tokenizer& tokenizer, bool skip_special_tokens) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  return tokenizer.Decode(ids, skip_special_tokens);
}

/// The last message's text if the reply has its role, and so goes on with it.
std::string OpenMessage(const Conversation& conversation) {
  const boost::json::object& last = conversation.messages.back().get_object();
  const bool replies = conversation.add_generation_prompt && last.at("role") != "assistant";
  return replies ? std::string() : std::string(std::string_view(last.at("content").get_string()));
}

}  // namespace

absl::StatusOr<GenerationPlan> PlanCompletion(const ApiContext& context,
                                              const CompletionRequest& request,
                                              const std::string& request_id) {
  const SamplingRequest& sampling = request.generation.sampling;
  ASSIGN_OR_RETURN(GenerationPlan plan, PlanCommon(context, request.generation, CompletionFormat(),
                                                   "logprobs", request_id));
  plan.echo = request.echo;
  plan.no_output = sampling.max_tokens == 0;
  if (plan.echo && request.generation.logprobs && !sampling.prompt_logprobs) {
    plan.each.sampling.prompt_logprobs = plan.each.sampling.logprobs;
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
  RETURN_IF_ERROR(CheckMinTokens(plan));
  return plan;
}

absl::StatusOr<GenerationPlan> PlanChat(const ApiContext& context, const ChatRequest& request,
                                        const std::string& request_id) {
  ASSIGN_OR_RETURN(GenerationPlan plan, PlanCommon(context, request.generation, ChatFormat(),
                                                   "top_logprobs", request_id));
  PlannedPrompt planned;
  ASSIGN_OR_RETURN(planned.ids, context.encoder.Encode(request.conversation));
  ASSIGN_OR_RETURN(planned.max_tokens,
                   context.encoder.MaxTokens(static_cast<int>(planned.ids.size()),
                                             request.generation.sampling.max_tokens,
                                             context.model.max_model_len));
  if (request.echo) planned.echo = OpenMessage(request.conversation);
  plan.prompts.push_back(std::move(planned));
  RETURN_IF_ERROR(CheckMinTokens(plan));
  return plan;
}

}  // namespace tandem::api
