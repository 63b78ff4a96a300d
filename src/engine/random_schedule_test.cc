#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/testing/engine_harness.h"

namespace tandem::engine {
namespace {

using cache::KvRole;
using testing::EngineHarness;
using testing::FakeStore;
using testing::HarnessOptions;
using testing::Result;

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  int Between(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(engine_);
  }
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }

 private:
  std::mt19937 engine_;
};

HarnessOptions RandomOptions(Dice& dice, FakeStore& store) {
  HarnessOptions options;
  options.block_tokens = dice.Chance(0.5) ? 16 : 4;
  options.engine.max_model_len = 160;
  options.engine.num_blocks = dice.Between(160, 220) / options.block_tokens;
  options.engine.max_num_seqs = dice.Between(1, 10);
  options.engine.max_num_batched_tokens = dice.Between(1, 100);
  options.engine.enable_prefix_caching = dice.Chance(0.5);
  if (dice.Chance(0.3)) options.engine.scheduling_policy = SchedulingPolicy::kPriority;
  const KvRole roles[] = {KvRole::kNone, KvRole::kProducer, KvRole::kConsumer, KvRole::kBoth};
  options.role = roles[dice.Between(0, 3)];
  options.store = &store;
  return options;
}

// Prompts come from two families of equal beginnings, so that caches hit in part and in full.
EngineRequest RandomRequest(Dice& dice, const std::string& id) {
  EngineRequest request = {.id = id};
  const int family = dice.Between(0, 1);
  const int length = dice.Chance(0.3) ? 32 * dice.Between(1, 3) : dice.Between(1, 110);
  for (int i = 0; i < length; ++i) request.prompt.push_back(1 + (i * (11 + family)) % 60);
  if (dice.Chance(0.2)) request.prompt.back() = dice.Between(1, 60);
  if (dice.Chance(0.1)) request.cache_salt = "salt";
  SamplingParams& sampling = request.sampling;
  sampling.temperature = dice.Chance(0.4) ? 0.0f : 0.9f;
  sampling.seed = dice.Between(0, 3);
  if (dice.Chance(0.3)) sampling.top_p = 0.8f;
  if (dice.Chance(0.3)) sampling.top_k = 10;
  if (dice.Chance(0.2)) sampling.min_p = 0.05f;
  if (dice.Chance(0.3)) sampling.repetition_penalty = 1.2f;
  if (dice.Chance(0.2)) sampling.frequency_penalty = 0.5f;
  if (dice.Chance(0.2)) sampling.logit_bias = {{30, 3.0f}, {28, 2.0f}, {29, 2.0f}};
  sampling.max_tokens = dice.Between(1, 60);
  if (dice.Chance(0.2)) sampling.min_tokens = dice.Between(0, sampling.max_tokens);
  if (dice.Chance(0.3)) sampling.stop = {"stop", "a", "[40"};
  if (dice.Chance(0.2)) sampling.stop_token_ids = {45, 50};
  sampling.ignore_eos = dice.Chance(0.6);
  sampling.include_stop_str_in_output = dice.Chance(0.3);
  if (dice.Chance(0.3)) sampling.logprobs = dice.Between(0, 3);
  if (dice.Chance(0.1)) sampling.prompt_logprobs = 1;
  if (dice.Chance(0.1)) sampling.allowed_token_ids = {30, 8, 45, 0, 41, 12, 28, 29};
  if (dice.Chance(0.2)) sampling.bad_words = {{8, 45}, {41}, {30, 30, 12}};
  request.priority = dice.Between(-2, 2);
  request.wait_for_commit = dice.Chance(0.3);
  return request;
}

// Hands some of the tokens that the request gives alone over as given.
void GiveTokens(Dice& dice, const Result& alone, EngineRequest& request) {
  const int given = dice.Between(0, static_cast<int>(alone.tokens.size()));
  for (int i = 0; i < given; ++i) {
    GivenToken token = {.token = alone.tokens[i]};
    if (request.sampling.logprobs) token.logprobs = alone.logprobs[i];
    request.given.push_back(token);
  }
  request.given_already_sent = dice.Chance(0.5) ? dice.Between(0, given) : 0;
}

// A request and what it gives alone: that is what it must give in any company.
struct Expectation {
  EngineRequest request;
  Result alone;
  bool aborted = false;
};

Expectation MakeExpectation(Dice& dice, const std::string& id, const HarnessOptions& like) {
  HarnessOptions options;
  options.block_tokens = like.block_tokens;
  options.engine.num_blocks = 200;
  options.engine.max_model_len = like.engine.max_model_len;
  EngineHarness engine(options);
  Expectation expected = {.request = RandomRequest(dice, id)};
  EngineRequest alone = expected.request;
  alone.wait_for_commit = false;
  expected.alone = engine.RunAlone(alone);
  if (dice.Chance(0.4)) GiveTokens(dice, expected.alone, expected.request);
  return expected;
}

void ExpectSameAsAlone(const Expectation& expected, const Result& result) {
  const Result& alone = expected.alone;
  const int sent = expected.request.given_already_sent;
  ASSERT_TRUE(result.last.finished);
  const std::vector<int32_t> rest(alone.tokens.begin() + sent, alone.tokens.end());
  if (expected.aborted && result.last.reason == FinishReason::kAbort) {
    ASSERT_LE(result.tokens.size(), rest.size());
    EXPECT_TRUE(std::equal(result.tokens.begin(), result.tokens.end(), rest.begin()));
    return;
  }
  EXPECT_EQ(result.tokens, rest);
  EXPECT_EQ(result.text, alone.text.substr(sent == 0 ? 0 : alone.text_ends[sent - 1]));
  EXPECT_EQ(result.last.reason, alone.last.reason);
  EXPECT_EQ(result.last.stop_reason, alone.last.stop_reason);
  EXPECT_EQ(result.last.generated_tokens, alone.last.generated_tokens);
  if (expected.request.sampling.logprobs) {
    ASSERT_EQ(result.logprobs.size(), rest.size());
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(result.logprobs[i].logprob, alone.logprobs[i + sent].logprob);
      EXPECT_EQ(result.logprobs[i].top, alone.logprobs[i + sent].top);
    }
  }
  if (expected.request.sampling.prompt_logprobs && expected.request.given.empty()) {
    ASSERT_EQ(result.prompt_logprobs.size(), alone.prompt_logprobs.size());
    for (size_t i = 0; i < alone.prompt_logprobs.size(); ++i) {
      EXPECT_EQ(result.prompt_logprobs[i].logprob, alone.prompt_logprobs[i].logprob);
    }
  }
}

// Another instance prefills some of the requests into the store.
void PrefillElsewhere(Dice& dice, const std::vector<Expectation>& requests,
                      const HarnessOptions& like) {
  HarnessOptions options = like;
  options.engine.num_blocks = 200;
  options.role = KvRole::kProducer;
  EngineHarness prefiller(options);
  for (const Expectation& expected : requests) {
    if (dice.Chance(0.5)) continue;
    EngineRequest request = expected.request;
    request.given.clear();
    request.given_already_sent = 0;
    request.sampling.max_tokens = 1;
    request.wait_for_commit = true;
    EXPECT_EQ(prefiller.RunAlone(request).last.committed_tokens,
              static_cast<int>(request.prompt.size()));
  }
}

// Counts of what the schedules have met, to show that they meet it.
struct Coverage {
  double preemptions = 0;
  double loaded_tokens = 0;
  double failed_loads = 0;
  int full_hits = 0;
  double local_hits = 0;
  double replayed_tokens = 0;
  double kept_tokens = 0;
  int aborts = 0;
};

// A random set of requests in a random order of arrivals, steps, transfers, evictions and aborts.
void RunSchedule(uint32_t seed, Coverage& coverage) {
  Dice dice(seed);
  FakeStore store;
  const HarnessOptions options = RandomOptions(dice, store);
  EngineHarness engine(options);
  std::vector<Expectation> requests;
  const int count = dice.Between(1, 10);
  for (int i = 0; i < count; ++i) {
    requests.push_back(MakeExpectation(dice, std::to_string(i), options));
  }
  if (dice.Chance(0.5)) PrefillElsewhere(dice, requests, options);
  size_t arrived = 0;
  int events = 0;
  while (arrived < requests.size() || engine.core.unfinished() > 0) {
    ASSERT_LT(++events, 100000) << "no progress";
    if (arrived < requests.size() && dice.Chance(0.1)) engine.Add(requests[arrived++].request);
    const int pending = engine.connector->pending();
    if (pending > 0 && dice.Chance(0.3)) engine.connector->Run(dice.Between(0, pending - 1));
    if (dice.Chance(0.01)) store.Evict();
    if (arrived > 0 && dice.Chance(0.002)) {
      Expectation& victim = requests[dice.Between(0, static_cast<int>(arrived) - 1)];
      victim.aborted = true;
      engine.core.Abort(victim.request.id);
    }
    engine.core.Step();
    ASSERT_LE(engine.decoder.largest_step, options.engine.max_num_batched_tokens);
  }
  engine.connector->RunAll();
  engine.core.Step();
  EXPECT_EQ(engine.core.used_blocks(), 0);
  for (const Expectation& expected : requests) {
    SCOPED_TRACE("request " + expected.request.id);
    const Result& result = engine.results[expected.request.id];
    ExpectSameAsAlone(expected, result);
    const int prompt = static_cast<int>(expected.request.prompt.size());
    coverage.full_hits += prompt > 1 && result.last.cached_tokens >= prompt - 1 ? 1 : 0;
    coverage.aborts += result.last.reason == FinishReason::kAbort ? 1 : 0;
  }
  coverage.preemptions += engine.Metric("vllm:num_preemptions_total");
  coverage.loaded_tokens += engine.Metric("tandem:external_loaded_tokens_total");
  coverage.failed_loads += engine.Metric("tandem:external_load_failures_total");
  coverage.local_hits += engine.Metric("vllm:prefix_cache_hits_total");
  coverage.kept_tokens += engine.Metric("tandem:preempted_tokens_kept_total");
  coverage.replayed_tokens += engine.Metric("tandem:decode_tokens_replayed_total");
}

// A request gives the same alone and in company, computed in one piece or many, loaded, partly
// loaded or computed, preempted or not, from its start or resumed.
TEST(RandomScheduleTest, EveryRequestGivesWhatItGivesAlone) {
  Coverage coverage;
  for (uint32_t seed = 0; seed < 600 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RunSchedule(seed, coverage);
  }
  EXPECT_GT(coverage.preemptions, 100);
  EXPECT_GT(coverage.loaded_tokens, 1000);
  EXPECT_GT(coverage.failed_loads, 10);
  EXPECT_GT(coverage.full_hits, 100);
  EXPECT_GT(coverage.local_hits, 1000);
  EXPECT_GT(coverage.replayed_tokens, 1000);
  EXPECT_GT(coverage.kept_tokens, 1000);
  EXPECT_GT(coverage.aborts, 10);
}

}  // namespace
}  // namespace tandem::engine
