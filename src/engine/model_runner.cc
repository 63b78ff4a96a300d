#include "engine/model_runner.h"

#include <cmath>
#include <utility>

#include "engine/counter_random.h"
#include "engine/softmax.h"

namespace tandem::engine {
namespace {

model::LogitRows WantedRows(const ScheduledTokens& scheduled) {
  const Sequence& sequence = *scheduled.sequence;
  if (sequence.in_prompt() && !sequence.prompt_logprobs.empty()) return model::LogitRows::kAll;
  const bool reaches_end = sequence.computed + scheduled.count == sequence.length();
  return reaches_end ? model::LogitRows::kLast : model::LogitRows::kNone;
}

int RowCount(const ScheduledTokens& scheduled) {
  switch (WantedRows(scheduled)) {
    case model::LogitRows::kNone:
      return 0;
    case model::LogitRows::kLast:
      return 1;
    case model::LogitRows::kAll:
      return scheduled.count;
  }
  return 0;
}

absl::Status WhyNothing(std::span<const float> logits) {
  if (!std::isfinite(MaxLogit(logits))) {
    return absl::InternalError("the model gave logits that are not numbers");
  }
  return absl::InvalidArgumentError(
      "allowed_token_ids, bad_words, logit_bias, min_tokens and the penalties together leave no "
      "token that could follow");
}

// Row i belongs to position computed + i and predicts the token behind it.
void FillPromptLogprobs(Sequence& sequence, const model::Logits& logits, int first_row, int rows,
                        ThreadPool& threads) {
  const int top = *sequence.request.sampling.prompt_logprobs;
  threads.ParallelFor(rows, [&](int64_t i, int) {
    const int predicted = sequence.computed + static_cast<int>(i) + 1;
    if (predicted >= sequence.prompt_length()) return;
    sequence.prompt_logprobs[predicted] = ComputeLogprobs(
        logits.Row(first_row + static_cast<int>(i)), sequence.tokens[predicted], top);
  });
}

}  // namespace

ModelRunner::ModelRunner(model::Decoder& decoder, const compute::KvPool& kv)
    : decoder_(decoder), kv_(kv), lanes_(decoder.threads().threads()) {}

std::vector<SampledToken> ModelRunner::Run(std::span<const ScheduledTokens> step) {
  std::vector<model::BatchSegment> batch;
  batch.reserve(step.size());
  for (const ScheduledTokens& scheduled : step) {
    const Sequence& sequence = *scheduled.sequence;
    batch.push_back(
        {.tokens = std::span(sequence.tokens).subspan(sequence.computed, scheduled.count),
         .first_position = sequence.computed,
         .block_table = sequence.blocks,
         .path = sequence.path(),
         .logits = WantedRows(scheduled)});
  }
  const model::Logits logits = decoder_.Forward(batch, kv_);

  std::vector<std::pair<Sequence*, int>> ends;  // With the row that gives the next token.
  int row = 0;
  for (const ScheduledTokens& scheduled : step) {
    Sequence& sequence = *scheduled.sequence;
    const int rows = RowCount(scheduled);
    if (WantedRows(scheduled) == model::LogitRows::kAll) {
      FillPromptLogprobs(sequence, logits, row, rows, decoder_.threads());
    }
    row += rows;
    if (rows > 0 && sequence.computed + scheduled.count == sequence.length()) {
      ends.emplace_back(&sequence, row - 1);
    }
  }
  std::vector<SampledToken> sampled(ends.size());
  decoder_.threads().ParallelFor(static_cast<int64_t>(ends.size()), [&](int64_t i, int thread) {
    const auto [sequence, end] = ends[i];
    sampled[i] = Sample(*sequence, logits.Row(end), lanes_[thread]);
  });
  return sampled;
}

SampledToken ModelRunner::Sample(Sequence& sequence, std::span<const float> logits, Lane& lane) {
  const SamplingParams& params = sequence.request.sampling;
  std::span<const float> row = logits;
  if (sequence.logits.active()) {
    lane.processed.assign(logits.begin(), logits.end());
    sequence.logits.Apply(lane.processed);
    row = lane.processed;
  }
  SampledToken result = {.sequence = &sequence};
  result.token = lane.sampler.Sample(row, params, UniformDraw(sequence.seed, sequence.length()));
  if (!result.token) result.error = WhyNothing(logits);
  if (result.token && params.logprobs) {
    result.logprobs = ComputeLogprobs(logits, *result.token, *params.logprobs);
  }
  return result;
}

}  // namespace tandem::engine
