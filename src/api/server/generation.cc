#include "api/server/generation.h"

#include <fmt/format.h>

#include "api/schema/choice_seed.h"
#include "api/server/choice_renderer.h"
#include "api/server/stream_writer.h"
#include "api/server/whole_reply.h"

namespace tandem::api {
namespace {

std::vector<std::string> EngineIds(ApiContext& context, const GenerationPlan& plan) {
  std::vector<std::string> ids;
  for (int choice = 0; choice < plan.choices(); ++choice) {
    ids.push_back(fmt::format("{}-{}", plan.request_id, context.next_sequence.fetch_add(1)));
  }
  return ids;
}

std::unique_ptr<Reply> MakeReply(const GenerationPlan& plan, const ReplyFormat& format,
                                 const ServedModel& model,
                                 std::shared_ptr<http::ResponseWriter> writer) {
  if (plan.request.stream) {
    return std::make_unique<StreamWriter>(plan, format, model, std::move(writer));
  }
  return std::make_unique<WholeReply>(plan, format, model, std::move(writer));
}

/// Why a choice ended before its time; OK if it did not.
absl::Status ErrorOf(const engine::EngineOutput& output) {
  if (!output.finished) return absl::OkStatus();
  if (output.reason == engine::FinishReason::kAbort) {
    return absl::UnavailableError("the request was ended early because this instance is stopping");
  }
  if (output.reason != engine::FinishReason::kError) return absl::OkStatus();
  return output.error.ok() ? absl::InternalError("the engine failed") : output.error;
}

}  // namespace

Generation::Generation(ApiContext& context, GenerationPlan plan, const ReplyFormat& format,
                       std::shared_ptr<http::ResponseWriter> writer)
    : context_(context),
      plan_(std::move(plan)),
      engine_ids_(EngineIds(context, plan_)),
      reply_(MakeReply(plan_, format, context.model, std::move(writer))),
      log_(context.clock, context.log_requests),
      unfinished_(plan_.choices()) {}

void Generation::Start(ApiContext& context, GenerationPlan plan, const ReplyFormat& format,
                       const std::string& path, std::shared_ptr<http::ResponseWriter> writer) {
  auto generation = std::make_shared<Generation>(context, std::move(plan), format, writer);
  {
    MutexLock lock(generation->mutex_);
    generation->log_.Start(path, generation->plan_);
  }
  writer->OnClose([weak = std::weak_ptr<Generation>(generation)] {
    if (auto alive = weak.lock()) alive->EndWith(absl::CancelledError("the client went away"));
  });
  generation->Submit();
}

engine::EngineRequest Generation::EngineRequestFor(int choice) const {
  const PlannedPrompt& prompt = plan_.prompt_of(choice);
  engine::EngineRequest request = plan_.each;
  request.id = engine_ids_[choice];
  request.prompt = prompt.ids;
  request.sampling.max_tokens = prompt.max_tokens;
  if (request.sampling.seed) {
    request.sampling.seed = SeedOfChoice(*request.sampling.seed, choice % plan_.request.best_of);
  }
  return request;
}

void Generation::Submit() {
  SubmitChoices();
  MutexLock lock(mutex_);
  Leave();
}

void Generation::SubmitChoices() {
  for (int choice = 0; choice < plan_.choices(); ++choice) {
    {
      MutexLock lock(mutex_);
      ++pending_;
    }
    const absl::Status status = context_.engine.Submit(
        EngineRequestFor(choice),
        [self = shared_from_this(), choice](const engine::EngineOutput& output) {
          self->OnOutput(choice, output);
        });
    bool ended = false;
    {
      MutexLock lock(mutex_);
      if (!status.ok()) Leave();
      ended = ended_ && unfinished_ > 0;
    }
    if (!status.ok()) return EndWith(status);
    // It ended while this choice was on its way into the engine, too late for the abort of all.
    if (ended) return context_.engine.Abort(engine_ids_[choice]);
  }
}

void Generation::OnOutput(int choice, const engine::EngineOutput& output) {
  const absl::Status error = ErrorOf(output);
  if (!error.ok()) EndWith(error);
  MutexLock lock(mutex_);
  log_.Note(output);
  if (!ended_) Show(choice, output);
  if (output.finished) Leave();
}

void Generation::Show(int choice, const engine::EngineOutput& output) {
  if (plan_.no_output) {
    engine::EngineOutput prompt_only = output;
    prompt_only.tokens.clear();
    prompt_only.text.clear();
    prompt_only.logprobs.clear();
    prompt_only.generated_tokens = 0;
    reply_->Add(choice, prompt_only);
  } else {
    reply_->Add(choice, output);
  }
  if (!output.finished || --unfinished_ > 0) return;
  ended_ = true;
  how_ = FinishReasonName(output.reason);
  reply_->End();
}

void Generation::EndWith(const absl::Status& error) {
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    const bool cancelled = error.code() == absl::StatusCode::kCancelled;
    how_ = cancelled ? "cancelled" : error.ToString();
    if (!cancelled) reply_->Fail(error);
  }
  for (const std::string& id : engine_ids_) context_.engine.Abort(id);
}

void Generation::Leave() {
  if (--pending_ == 0) log_.End(plan_.request_id, how_);
}

}  // namespace tandem::api
