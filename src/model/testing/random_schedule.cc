#include "model/testing/random_schedule.h"

#include <algorithm>
#include <cstdlib>

namespace tandem::model::testing {
namespace {

constexpr int kLongestPiece = 150;
// Several generated tokens at once are what a preempted request replays.
constexpr int kMostReplayed = 5;
constexpr double kPreemption = 0.1;
constexpr double kLoad = 0.4;
// Blocks of preempted texts are not given back.
constexpr int kMostPreemptions = 4;

void Collect(const Logits& logits, int first, int rows, Computed* computed) {
  for (int row = first; row < first + rows; ++row) {
    const auto values = logits.Row(row);
    computed->logits.emplace_back(values.begin(), values.end());
  }
}

}  // namespace

RandomSchedule::RandomSchedule(std::span<const std::unique_ptr<Decoder>> decoders, uint32_t seed)
    : decoders_(decoders), random_(seed) {}

Text RandomSchedule::RandomText(int longest_prompt, int most_generated) {
  Text text;
  text.prompt = Draw(1, longest_prompt);
  text.tokens.resize(text.prompt + Draw(0, most_generated));
  for (int32_t& token : text.tokens) token = Draw(0, decoders_[0]->config().vocab_size - 1);
  return text;
}

Computed RandomSchedule::RunAlone(const Text& text) {
  const auto length = static_cast<int>(text.tokens.size());
  TestPool pool(decoders_[0]->config(), length);
  TestSequence sequence(pool, length);
  Computed computed;
  const Logits prompt = sequence.Run(*decoders_[0], {text.tokens.data(), size_t(text.prompt)},
                                     TokenPath::kPrefill, LogitRows::kAll);
  Collect(prompt, 0, prompt.rows, &computed);
  for (int i = text.prompt; i < length; ++i) {
    Collect(sequence.Run(*decoders_[0], {&text.tokens[i], 1}, TokenPath::kDecode, LogitRows::kAll),
            0, 1, &computed);
  }
  computed.kv = sequence.KvBytes(length);
  return computed;
}

std::vector<Computed> RandomSchedule::RunTogether(std::span<const Text> texts,
                                                  std::span<const Computed> alone) {
  int blocks = 0;
  for (const Text& text : texts) blocks += static_cast<int>(text.tokens.size()) / 16 + 1;
  TestPool pool(decoders_[0]->config(), blocks * 16 * (kMostPreemptions + 1), random_());
  std::vector<Running> all;
  for (size_t i = 0; i < texts.size(); ++i) {
    all.push_back({&texts[i], &alone[i], TestSequence(pool, 0), {}});
    Restart(all.back(), pool);
  }
  int preemptions = 0;
  for (;;) {
    std::vector<Running*> left;
    for (Running& running : all) {
      const auto length = static_cast<int>(running.text->tokens.size());
      if (running.sequence.length() < length) left.push_back(&running);
    }
    if (left.empty()) break;
    std::shuffle(left.begin(), left.end(), random_);
    if (preemptions < kMostPreemptions && left[0]->sequence.length() > 0 && Chance(kPreemption)) {
      ++preemptions;
      Restart(*left[0], pool);
    }
    left.resize(Draw(1, static_cast<int>(left.size())));
    Step(left, pool);
  }
  coverage_.preemptions += preemptions;
  std::vector<Computed> results;
  for (Running& running : all) {
    running.computed.kv = running.sequence.KvBytes(running.sequence.length());
    results.push_back(std::move(running.computed));
  }
  return results;
}

/// From nothing in the cache, or with the KV of some first tokens loaded.
void RandomSchedule::Restart(Running& running, TestPool& pool) {
  const auto length = static_cast<int>(running.text->tokens.size());
  running.sequence = TestSequence(pool, length);
  running.computed = {};
  if (length == 1 || !Chance(kLoad)) return;
  const int loaded = Draw(1, length - 1);
  running.sequence.Load(running.alone->kv, length, loaded);
  running.computed.logits.resize(loaded);
  coverage_.loaded_tokens += loaded;
}

void RandomSchedule::Step(std::span<Running*> chosen, TestPool& pool) {
  std::vector<BatchSegment> batch;
  for (Running* running : chosen) {
    const Text& text = *running->text;
    const int done = running->sequence.length();
    const bool is_prompt = done < text.prompt;
    const int end = is_prompt ? text.prompt : static_cast<int>(text.tokens.size());
    const int count = Draw(1, std::min(end - done, is_prompt ? kLongestPiece : kMostReplayed));
    batch.push_back(running->sequence.Next({&text.tokens[done], size_t(count)},
                                           is_prompt ? TokenPath::kPrefill : TokenPath::kDecode,
                                           LogitRows::kAll));
  }
  Decoder& decoder = *decoders_[Draw(0, static_cast<int>(decoders_.size()) - 1)];
  const Logits logits = decoder.Forward(batch, pool.kv());
  int row = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto rows = static_cast<int>(batch[i].tokens.size());
    Collect(logits, row, rows, &chosen[i]->computed);
    row += rows;
  }
  if (row != logits.rows) std::abort();
  ++coverage_.steps;
  coverage_.segments += static_cast<int>(chosen.size());
}

}  // namespace tandem::model::testing
