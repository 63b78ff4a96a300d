#include "proxy/choice_continuation.h"

#include <utility>

#include "http/event_stream.h"
#include "proxy/relay.h"
#include "proxy/stream_chunk.h"

namespace tandem::proxy {

ChoiceContinuation::ChoiceContinuation(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan,
                                       const DecoderStream& stream, std::set<int> tried,
                                       std::string reason)
    : scope_(std::move(scope)),
      plan_(std::move(plan)),
      tried_(std::move(tried)),
      reason_(std::move(reason)),
      first_chunk_(stream.first_chunk()),
      progress_(stream.choices()) {}

void ChoiceContinuation::Next() {
  while (choice_ < plan_.choices() && progress_[choice_].finished) ++choice_;
  if (choice_ == plan_.choices()) return End();
  const ChoiceProgress& progress = progress_[choice_];
  const auto relay =
      std::make_shared<Relay>(scope_, plan_.ForChoice(choice_), boost::json::object());
  relay->ContinueChoice(
      {.stream = {.first_chunk = first_chunk_,
                  .place = {.index = choice_, .opened = progress.opened},
                  .ids = progress.ids},
       .tried = tried_,
       .reason = reason_,
       .ended = [self = shared_from_this()](const DecoderStream& end) { self->OnChoiceEnd(end); }});
  relay->Start();
}

void ChoiceContinuation::OnChoiceEnd(const DecoderStream& stream) {
  ChoiceProgress& progress = progress_[choice_];
  progress.ids.assign(stream.ids().begin(), stream.ids().end());
  if (stream.prompt_tokens()) progress.prompt_tokens = stream.prompt_tokens();
  progress.finished = true;
  if (first_chunk_.empty()) first_chunk_ = stream.first_chunk();
  Next();
}

void ChoiceContinuation::End() {
  scope_->writer().Write(Usage() + http::FormatEvent("[DONE]"));
  scope_->writer().Finish();
}

std::string ChoiceContinuation::Usage() {
  if (!plan_.include_usage()) return "";
  int prompt_tokens = 0, completion_tokens = 0;
  for (int first = 0; first < plan_.choices(); first += plan_.choices_of_a_prompt()) {
    std::optional<int> of_prompt;
    for (int i = first; i < first + plan_.choices_of_a_prompt(); ++i) {
      completion_tokens += static_cast<int>(progress_[i].ids.size());
      if (progress_[i].prompt_tokens) of_prompt = progress_[i].prompt_tokens;
    }
    // Rather no usage than a wrong one.
    if (!of_prompt) return "";
    prompt_tokens += *of_prompt;
  }
  return http::FormatEvent(UsageChunk(first_chunk_, prompt_tokens, completion_tokens));
}

}  // namespace tandem::proxy
