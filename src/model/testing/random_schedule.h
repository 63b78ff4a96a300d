#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "model/decoder.h"
#include "model/testing/test_sequence.h"

namespace tandem::model::testing {

/// A prompt and the tokens that follow it.
struct Text {
  std::vector<int32_t> tokens;
  int prompt = 0;
};

/// All that is computed of a text: each token's logits and the KV cache. Tokens whose KV was loaded
/// have no logits.
struct Computed {
  std::vector<std::vector<float>> logits;
  std::vector<std::byte> kv;
};

/// What schedules have met, to show that they meet it.
struct ScheduleCoverage {
  int steps = 0;
  int segments = 0;
  int preemptions = 0;
  int loaded_tokens = 0;
};

/// Computes texts alone, and together in random schedules: steps of some tokens of some texts, on
/// any of several decoders of one model; prompts cut anywhere; KV of a text's first tokens loaded
/// instead of computed; texts preempted, whose tokens are computed again.
class RandomSchedule {
 public:
  RandomSchedule(std::span<const std::unique_ptr<Decoder>> decoders, uint32_t seed);

  Text RandomText(int longest_prompt, int most_generated);

  /// The text alone on the first decoder: the prompt at once, then token by token.
  Computed RunAlone(const Text& text);

  /// The texts together; `alone` is what RunAlone gave for each.
  std::vector<Computed> RunTogether(std::span<const Text> texts, std::span<const Computed> alone);

  int Draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  const ScheduleCoverage& coverage() const { return coverage_; }

 private:
  struct Running {
    const Text* text;
    const Computed* alone;
    TestSequence sequence;
    Computed computed;
  };

  void Restart(Running& running, TestPool& pool);
  void Step(std::span<Running*> chosen, TestPool& pool);

  const std::span<const std::unique_ptr<Decoder>> decoders_;
  std::mt19937 random_;
  ScheduleCoverage coverage_;
};

}  // namespace tandem::model::testing
