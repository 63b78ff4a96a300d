#include "api/server/stream_writer.h"

#include <boost/json/serialize.hpp>

#include "api/schema/error.h"
#include "api/server/json_reply.h"
#include "http/event_stream.h"

namespace tandem::api {
namespace {

constexpr char kStreamEnd[] = "[DONE]";

std::string Event(const boost::json::object& json) {
  return http::FormatEvent(boost::json::serialize(json));
}

}  // namespace

StreamWriter::StreamWriter(const GenerationPlan& plan, const ReplyFormat& format,
                           const ServedModel& model, std::shared_ptr<http::ResponseWriter> writer)
    : plan_(plan), format_(format), writer_(std::move(writer)), usage_(plan.choices()) {
  for (int choice = 0; choice < plan.choices(); ++choice) {
    renderers_.emplace_back(plan, choice, choice, format, *model.tokenizer);
  }
  if (plan.each.wait_for_commit) hand_over_.emplace(model.kv_namespace);
}

void StreamWriter::StartIfNeeded() {
  if (started_) return;
  started_ = true;
  writer_->StartStream(200, {{"Content-Type", "text/event-stream; charset=utf-8"},
                             {"Cache-Control", "no-cache"},
                             {"X-Accel-Buffering", "no"}});
}

void StreamWriter::AppendOpening(int choice, const std::optional<Usage>& usage,
                                 std::string& events) {
  ChoicePart opening;
  opening.details.index = choice;
  if (plan_.request.return_token_ids) {
    opening.details.prompt_token_ids = plan_.prompt_of(choice).ids;
  }
  events += Event(format_.Chunk(plan_.head, opening, true, usage, std::nullopt));
}

void StreamWriter::Add(int choice, const engine::EngineOutput& output) {
  StartIfNeeded();
  if (hand_over_) hand_over_->Note(output);
  usage_[choice] = UsageOf(output);
  std::optional<Usage> usage;
  if (plan_.request.continuous_usage_stats) usage = usage_[choice];

  std::string events;
  const bool opens = renderers_[choice].first() && format_.opens_with_role();
  if (opens) AppendOpening(choice, usage, events);
  ChoicePart part = renderers_[choice].Render(output);
  if (opens) part.details.prompt_token_ids.reset();
  const bool shows = !part.text.empty() || output.finished || !output.logprobs.empty() ||
                     (plan_.request.return_token_ids && !output.tokens.empty());
  if (shows) {
    std::optional<KvTransferParams> kv_transfer;
    if (output.finished && hand_over_) kv_transfer = hand_over_->Params();
    events += Event(format_.Chunk(plan_.head, part, false, usage, kv_transfer));
  }
  if (!events.empty()) writer_->Write(std::move(events));
}

void StreamWriter::End() {
  std::string events;
  if (plan_.request.include_usage) {
    events += Event(format_.UsageChunk(plan_.head, TotalUsage(usage_, plan_.request.n)));
  }
  events += http::FormatEvent(kStreamEnd);
  writer_->Write(std::move(events));
  writer_->Finish();
}

void StreamWriter::Fail(const absl::Status& error) {
  if (!started_) return writer_->Respond(ErrorReply(error));
  writer_->Write(Event(ErrorBody(error)) + http::FormatEvent(kStreamEnd));
  writer_->Finish();
}

}  // namespace tandem::api
