#include "engine/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "engine/counter_random.h"
#include "engine/softmax.h"

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<float> RandomLogits(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

// What each token's share of the draws should be, computed the plain way.
std::vector<double> ExpectedShares(std::span<const float> logits, const SamplingParams& params) {
  std::vector<std::pair<double, int>> order;
  for (size_t id = 0; id < logits.size(); ++id) {
    order.emplace_back(-double{logits[id]} / params.temperature, id);
  }
  std::sort(order.begin(), order.end());
  std::vector<double> weights(logits.size());
  const double least = order.front().first;
  double total = 0;
  int kept = 0;
  for (const auto& [energy, id] : order) {
    const double weight = std::exp(least - energy);
    if (weight < params.min_p || (params.top_k > 0 && kept == params.top_k)) break;
    weights[id] = weight;
    total += weight;
    ++kept;
  }
  double mass = 0;
  double nucleus = 0;
  for (const auto& [energy, id] : order) {
    if (mass >= params.top_p * total && mass > 0) weights[id] = 0;
    mass += weights[id];
    nucleus += weights[id];
  }
  for (double& weight : weights) weight /= nucleus;
  return weights;
}

class SamplerFilterTest : public ::testing::TestWithParam<SamplingParams> {};

TEST_P(SamplerFilterTest, DrawsByTheFilteredDistribution) {
  for (const int vocab_size : {37, 1003}) {
    const std::vector<float> logits = RandomLogits(vocab_size, 5);
    const std::vector<double> expected = ExpectedShares(logits, GetParam());
    constexpr int kDraws = 20000;
    std::vector<double> shares(logits.size());
    Sampler sampler;
    for (int i = 0; i < kDraws; ++i) {
      const auto token = sampler.Sample(logits, GetParam(), (i + 0.5) / kDraws);
      ASSERT_TRUE(token);
      shares[*token] += 1.0 / kDraws;
    }
    for (size_t id = 0; id < logits.size(); ++id) {
      EXPECT_NEAR(shares[id], expected[id], 1.5 / kDraws) << "token " << id << " of " << vocab_size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Filters, SamplerFilterTest,
    ::testing::Values(
        SamplingParams{}, SamplingParams{.temperature = 0.3f}, SamplingParams{.temperature = 3.0f},
        SamplingParams{.top_p = 0.7f}, SamplingParams{.temperature = 2.0f, .top_p = 0.95f},
        SamplingParams{.top_k = 5}, SamplingParams{.top_k = 1}, SamplingParams{.top_k = 1000},
        SamplingParams{.min_p = 0.1f},
        SamplingParams{.temperature = 2.0f, .top_p = 0.8f, .top_k = 9, .min_p = 0.05f},
        SamplingParams{.temperature = 2.0f, .top_p = 0.8f, .min_p = 0.05f},
        SamplingParams{.temperature = 2.0f, .top_p = 0.99999f}, SamplingParams{.top_p = 1e-6f}));

TEST(SamplerTest, GreedyTakesTheFirstOfTheHighest) {
  Sampler sampler;
  const std::vector<float> logits = {1, 3, 2, 3};
  EXPECT_EQ(sampler.Sample(logits, {.temperature = 0}, 0.9), 1);
}

TEST(SamplerTest, ATinyTemperatureIsNotGreedy) {
  Sampler sampler;
  const std::vector<float> logits = {1.0f, 1.0f + 0.01f};
  // At 0.01 the odds are e to 1.
  const double share = 1 / (1 + std::exp(1.0));
  for (const float temperature : {1e-9f, 1e-3f, 1e-2f}) {
    EXPECT_EQ(sampler.Sample(logits, {.temperature = temperature}, share - 0.01), 0);
    EXPECT_EQ(sampler.Sample(logits, {.temperature = temperature}, share + 0.01), 1);
  }
}

TEST(SamplerTest, NeverDrawsABannedToken) {
  Sampler sampler;
  std::vector<float> logits(20, -std::numeric_limits<float>::infinity());
  logits[7] = 0;
  for (const double draw : {0.0, 0.5, 1.0 - 0x1.0p-53}) {
    EXPECT_EQ(sampler.Sample(logits, {}, draw), 7);
    EXPECT_EQ(sampler.Sample(logits, {.top_p = 0.9f}, draw), 7);
    EXPECT_EQ(sampler.Sample(logits, {.top_k = 3}, draw), 7);
  }
}

TEST(SamplerTest, RefusesLogitsThatAreNotNumbers) {
  Sampler sampler;
  std::vector<float> logits(40, 1.0f);
  for (const size_t at : {0u, 13u, 39u}) {
    for (const float no_number : {std::nanf(""), -std::nanf("")}) {
      logits[at] = no_number;
      EXPECT_EQ(sampler.Sample(logits, {}, 0.5), std::nullopt);
      EXPECT_EQ(sampler.Sample(logits, {.temperature = 0}, 0.5), std::nullopt);
    }
    logits[at] = 1.0f;
  }
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(sampler.Sample(logits, {}, 0.5), std::nullopt);
}

TEST(SoftmaxTest, AgreesWithTheExactOne) {
  std::vector<float> logits = RandomLogits(1003, 9);
  logits[4] = -std::numeric_limits<float>::infinity();
  const float max = MaxLogit(logits);
  std::vector<float> weights(logits.size());
  const double sum = SoftmaxWeights(logits, max, 0.7f, weights);
  double exact_sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double exact = std::exp((double{logits[i]} - max) * double{0.7f});
    EXPECT_NEAR(weights[i], exact, exact * 3e-6) << logits[i];
    exact_sum += exact;
  }
  EXPECT_NEAR(sum, exact_sum, exact_sum * 1e-6);
  EXPECT_EQ(SoftmaxWeights(logits, max, 0.7f, {}), sum);
}

TEST(LogprobsTest, GivesTheLogarithmRankAndTop) {
  const std::vector<float> logits = {0, 2, 1, 2};
  const double log_total = std::log(1 + std::exp(1.0) + 2 * std::exp(2.0));
  const TokenLogprobs logprobs = ComputeLogprobs(logits, 2, 3);
  EXPECT_EQ(logprobs.token, 2);
  EXPECT_EQ(logprobs.rank, 3);
  EXPECT_NEAR(logprobs.logprob, 1 - log_total, 1e-6);
  EXPECT_THAT(logprobs.top, ElementsAre(Pair(1, ::testing::FloatNear(2 - log_total, 1e-6)),
                                        Pair(3, ::testing::FloatNear(2 - log_total, 1e-6)),
                                        Pair(2, ::testing::FloatNear(1 - log_total, 1e-6))));
  EXPECT_EQ(ComputeLogprobs(logits, 1, 0).rank, 1);
}

TEST(TopTokensTest, OrdersByLogitThenId) {
  const std::vector<float> logits = RandomLogits(500, 3);
  std::vector<ScoredToken> all;
  for (size_t id = 0; id < logits.size(); ++id) all.emplace_back(id, logits[id]);
  std::sort(all.begin(), all.end(), RanksBefore);
  for (const int count : {0, 1, 20, 500, 900}) {
    const size_t wanted = std::min<size_t>(count, all.size());
    EXPECT_EQ(TopTokens(logits, count),
              std::vector<ScoredToken>(all.begin(), all.begin() + wanted));
  }
}

TEST(CounterRandomTest, IsUniformAndDependsOnBothCounters) {
  double sum = 0;
  for (int i = 0; i < 10000; ++i) sum += UniformDraw(42, i);
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
  EXPECT_EQ(UniformDraw(1, 2), UniformDraw(1, 2));
  EXPECT_NE(UniformDraw(1, 2), UniformDraw(2, 1));
  EXPECT_NE(UniformDraw(1, 2), UniformDraw(1, 3));
}

}  // namespace
}  // namespace tandem::engine
