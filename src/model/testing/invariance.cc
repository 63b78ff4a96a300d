#include "model/testing/invariance.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace tandem::model::testing {
namespace {

void ExpectSameBits(const Computed& together, const Computed& alone) {
  ASSERT_EQ(together.logits.size(), alone.logits.size());
  for (size_t token = 0; token < alone.logits.size(); ++token) {
    const std::vector<float>& a = together.logits[token];
    const std::vector<float>& b = alone.logits[token];
    if (a.empty()) continue;  // Loaded.
    ASSERT_EQ(a.size(), b.size());
    ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "token " << token;
  }
  ASSERT_TRUE(together.kv == alone.kv);
}

}  // namespace

void ExpectSameBitsInSchedules(RandomSchedule& schedule, int rounds, int longest_prompt) {
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    std::vector<Text> texts;
    std::vector<Computed> alone;
    for (int i = schedule.Draw(2, 7); i > 0; --i) {
      texts.push_back(schedule.RandomText(round % 4 == 0 ? longest_prompt : 90, 12));
      alone.push_back(schedule.RunAlone(texts.back()));
    }
    const std::vector<Computed> together = schedule.RunTogether(texts, alone);
    for (size_t i = 0; i < texts.size(); ++i) {
      SCOPED_TRACE("round " + std::to_string(round) + ", text " + std::to_string(i) +
                   " with a prompt of " + std::to_string(texts[i].prompt));
      ExpectSameBits(together[i], alone[i]);
    }
  }
  const ScheduleCoverage& coverage = schedule.coverage();
  EXPECT_GE(coverage.segments, coverage.steps * 3 / 2);
  EXPECT_GE(coverage.preemptions, rounds / 4);
  EXPECT_GE(coverage.loaded_tokens, rounds * 20);
}

}  // namespace tandem::model::testing
