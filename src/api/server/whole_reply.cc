#include "api/server/whole_reply.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "api/server/choice_renderer.h"
#include "api/server/handoff.h"
#include "api/server/json_reply.h"

namespace tandem::api {
namespace {

/// Adds a step's output to what is there; the counts are those of the last.
void Merge(const engine::EngineOutput& output, engine::EngineOutput& collected) {
  engine::EngineOutput merged = output;
  const auto append = [](auto& front, const auto& back) {
    front.insert(front.end(), back.begin(), back.end());
  };
  merged.tokens = std::move(collected.tokens);
  append(merged.tokens, output.tokens);
  merged.text = std::move(collected.text) + output.text;
  merged.logprobs = std::move(collected.logprobs);
  append(merged.logprobs, output.logprobs);
  if (!collected.prompt_logprobs.empty()) {
    merged.prompt_logprobs = std::move(collected.prompt_logprobs);
  }
  collected = std::move(merged);
}

double CumulativeLogprob(const engine::EngineOutput& output) {
  double sum = 0;
  for (const engine::TokenLogprobs& token : output.logprobs) sum += token.logprob;
  return sum;
}

}  // namespace

WholeReply::WholeReply(const GenerationPlan& plan, const ReplyFormat& format,
                       const ServedModel& model, std::shared_ptr<http::ResponseWriter> writer)
    : plan_(plan),
      format_(format),
      model_(model),
      writer_(std::move(writer)),
      collected_(plan.choices()) {}

void WholeReply::Add(int choice, const engine::EngineOutput& output) {
  Merge(output, collected_[choice]);
}

std::vector<int> WholeReply::ReturnedChoices() const {
  const int sampled = plan_.request.best_of;
  std::vector<int> returned;
  for (int first = 0; first < plan_.choices(); first += sampled) {
    std::vector<int> of_prompt(sampled);
    std::iota(of_prompt.begin(), of_prompt.end(), first);
    if (sampled > plan_.request.n) {
      std::stable_sort(of_prompt.begin(), of_prompt.end(), [this](int a, int b) {
        return CumulativeLogprob(collected_[a]) > CumulativeLogprob(collected_[b]);
      });
    }
    returned.insert(returned.end(), of_prompt.begin(), of_prompt.begin() + plan_.request.n);
  }
  return returned;
}

void WholeReply::End() {
  std::vector<ChoicePart> choices;
  std::vector<Usage> usage;
  for (const int choice : ReturnedChoices()) {
    const int index = static_cast<int>(choices.size());
    ChoiceRenderer renderer(plan_, choice, index, format_, *model_.tokenizer);
    choices.push_back(renderer.Render(collected_[choice]));
    usage.push_back(UsageOf(collected_[choice]));
  }
  std::optional<KvTransferParams> kv_transfer;
  if (plan_.each.wait_for_commit) {
    HandOver hand_over(model_.kv_namespace);
    hand_over.Note(collected_.front());
    kv_transfer = hand_over.Params();
  }
  writer_->Respond(JsonReply(
      200, format_.Reply(plan_.head, choices, TotalUsage(usage, plan_.request.n), kv_transfer)));
}

void WholeReply::Fail(const absl::Status& error) { writer_->Respond(ErrorReply(error)); }

}  // namespace tandem::api
