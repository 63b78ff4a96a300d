#include "engine/logits_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;

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

TEST(LogitsProcessorTest, AddsBias) {
  const SamplingParams params = {.logit_bias = {{1, -2.0f}, {0, 3.0f}}};
  LogitsProcessor processor(params, {}, {});
  std::vector<float> logits = {1, 1, 1};
  processor.Apply(logits);
  EXPECT_THAT(logits, ElementsAre(4, -1, 1));
}

}  // namespace
}  // namespace tandem::engine
