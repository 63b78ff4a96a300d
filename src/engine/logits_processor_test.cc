#include "engine/logits_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;

constexpr float kBanned = -std::numeric_limits<float>::infinity();

TEST(LogitsProcessorTest, IsInactiveByDefault) {
  const SamplingParams params;
  EXPECT_FALSE(LogitsProcessor(params, {}, {0}).active());
}

TEST(LogitsProcessorTest, AppliesPenaltiesToPromptAndOutput) {
  const SamplingParams params = {
      .repetition_penalty = 2.0f, .presence_penalty = 0.5f, .frequency_penalty = 0.25f};
  const std::vector<int32_t> prompt = {0, 1};
  LogitsProcessor processor(params, prompt, {});
  processor.AddOutput(1);
  processor.AddOutput(2);
  processor.AddOutput(2);
  std::vector<float> logits = {-4, 4, 4, 4};
  processor.Apply(logits);
  EXPECT_THAT(logits, ElementsAre(-8, 2 - 0.75f, 2 - 1.0f, 4));
}

TEST(LogitsProcessorTest, BansTheEndUntilMinTokens) {
  const SamplingParams params = {.min_tokens = 1};
  LogitsProcessor processor(params, {}, {2, 900});
  std::vector<float> logits = {1, 1, 1};
  ASSERT_TRUE(processor.active());
  processor.Apply(logits);
  EXPECT_TRUE(std::isinf(logits[2]));
  processor.AddOutput(0);
  EXPECT_FALSE(processor.active());
}

TEST(LogitsProcessorTest, KeepsTheAllowedTokensOnly) {
  const SamplingParams params = {.allowed_token_ids = {3, 1}};
  LogitsProcessor processor(params, {}, {});
  std::vector<float> logits = {9, 1, 9, 3};
  ASSERT_TRUE(processor.active());
  processor.Apply(logits);
  EXPECT_THAT(logits, ElementsAre(kBanned, 1, kBanned, 3));
}

TEST(LogitsProcessorTest, BansTheLastTokenOfABadWordThatTheOutputHasBegun) {
  const SamplingParams params = {.bad_words = {{2}, {0, 1, 3}, {1, 1}}};
  const std::vector<int32_t> prompt = {0, 1};
  LogitsProcessor processor(params, prompt, {});
  const auto apply = [&] {
    std::vector<float> logits = {9, 9, 9, 9};
    processor.Apply(logits);
    return logits;
  };
  EXPECT_THAT(apply(), ElementsAre(9, 9, kBanned, 9)) << "the prompt begins nothing";
  processor.AddOutput(0);
  EXPECT_THAT(apply(), ElementsAre(9, 9, kBanned, 9));
  processor.AddOutput(1);
  EXPECT_THAT(apply(), ElementsAre(9, kBanned, kBanned, kBanned));
  processor.AddOutput(0);
  EXPECT_THAT(apply(), ElementsAre(9, 9, kBanned, 9));
}

TEST(LogitsProcessorTest, PenalisesWhatTheBiasHasMade) {
  const SamplingParams params = {.repetition_penalty = 2.0f,
                                 .logit_bias = {{0, 5.0f}, {1, 5.0f}},
                                 .allowed_token_ids = {0, 2}};
  LogitsProcessor processor(params, std::vector<int32_t>{0, 1, 2}, {});
  std::vector<float> logits = {-1, 4, 4};
  processor.Apply(logits);
  EXPECT_THAT(logits, ElementsAre(2, kBanned, 2)) << "no bias lets a banned token back in";
}

TEST(LogitsProcessorTest, AddsBias) {
  const SamplingParams params = {.logit_bias = {{1, -2.0f}, {0, 3.0f}}};
  LogitsProcessor processor(params, {}, {});
  std::vector<float> logits = {1, 1, 1};
  processor.Apply(logits);
  EXPECT_THAT(logits, ElementsAre(4, -1, 1));
}

}  // namespace
}  // namespace tandem::engine
