#include "engine/engine_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/testing/engine_harness.h"

namespace tandem::engine {
namespace {

using cache::KvRole;
using ::testing::ElementsAre;
using testing::EngineHarness;
using testing::FakeStore;
using testing::HarnessOptions;
using ::testing::IsEmpty;
using testing::Result;

std::vector<int32_t> Prompt(int length, int first = 1) {
  std::vector<int32_t> prompt(length);
  for (int i = 0; i < length; ++i) prompt[i] = 1 + (first + i * 7) % 60;
  return prompt;
}

// Greedy, and long enough: the end of sequence is ignored.
EngineRequest Request(const std::string& id, int prompt_length, int max_tokens) {
  return {.id = id,
          .prompt = Prompt(prompt_length),
          .sampling = {.temperature = 0, .max_tokens = max_tokens, .ignore_eos = true}};
}

HarnessOptions With(KvRole role, FakeStore& store) {
  HarnessOptions options;
  options.role = role;
  options.store = &store;
  return options;
}

// The same request, with the first `given` of the tokens that it gives alone.
EngineRequest Resumed(EngineRequest request, const Result& alone, int given, int already_sent) {
  for (int i = 0; i < given; ++i) request.given.push_back({.token = alone.tokens[i]});
  request.given_already_sent = already_sent;
  return request;
}

TEST(EngineCoreTest, RunsARequestToItsEnd) {
  EngineHarness engine({});
  const Result result = engine.RunAlone(Request("a", 40, 5));
  EXPECT_EQ(result.tokens.size(), 5u);
  EXPECT_EQ(result.text, engine.tokenizer.Decode(result.tokens, true));
  EXPECT_EQ(result.outputs, 5);
  EXPECT_EQ(result.last.reason, FinishReason::kLength);
  EXPECT_EQ(result.last.prompt_tokens, 40);
  EXPECT_EQ(result.last.generated_tokens, 5);
  EXPECT_EQ(result.last.computed_prompt_tokens, 40);
  EXPECT_EQ(engine.decoder.prefill_tokens, 40);
  EXPECT_EQ(engine.decoder.decode_tokens, 4);
  EXPECT_EQ(engine.core.used_blocks(), 0);
  EXPECT_EQ(engine.Metric("vllm:prompt_tokens_total"), 40);
  EXPECT_EQ(engine.Metric("vllm:generation_tokens_total"), 5);
  EXPECT_EQ(engine.Metric("vllm:request_success_total"), 1);
}

TEST(EngineCoreTest, CutsPromptsToTheBudgetAndRunsDecodesBesideThem) {
  HarnessOptions options;
  options.engine.max_num_batched_tokens = 16;
  EngineHarness engine(options);
  const Result alone = EngineHarness({}).RunAlone(Request("a", 100, 20));
  engine.Add(Request("b", 3, 30));
  ASSERT_TRUE(engine.core.Step());
  engine.Add(Request("a", 100, 20));
  engine.RunToEnd();
  EXPECT_EQ(engine.results["a"].tokens, alone.tokens);
  EXPECT_EQ(engine.decoder.largest_step, 16);
  // b's 30 tokens need 30 steps; a's prompt fits beside them in 7, and its tokens too.
  EXPECT_EQ(engine.decoder.steps, 30);
}

TEST(EngineCoreTest, GivenTokensAreEmittedAtOnceAndContinued) {
  const Result alone = EngineHarness({}).RunAlone(Request("a", 40, 8));
  EngineHarness engine({});
  engine.Add(Resumed(Request("a", 40, 8), alone, 1, 0));
  EXPECT_THAT(engine.results["a"].tokens, ElementsAre(alone.tokens[0])) << "before any step";
  engine.RunToEnd();
  EXPECT_EQ(engine.results["a"].tokens, alone.tokens);
  EXPECT_EQ(engine.results["a"].text, alone.text);
}

TEST(EngineCoreTest, ResumesSilentlyWithWhatTheClientHas) {
  const Result alone = EngineHarness({}).RunAlone(Request("a", 40, 8));
  EngineHarness engine({});
  engine.Add(Resumed(Request("a", 40, 8), alone, 5, 5));
  EXPECT_EQ(engine.results["a"].outputs, 0);
  engine.RunToEnd();
  EXPECT_THAT(engine.results["a"].tokens,
              ::testing::ElementsAreArray(alone.tokens.begin() + 5, alone.tokens.end()));
  EXPECT_EQ(engine.results["a"].last.generated_tokens, 8);
  EXPECT_EQ(engine.decoder.decode_tokens, 7);
}

TEST(EngineCoreTest, AGivenTokenCanEndTheRequestWithoutAStep) {
  FakeStore store;
  EngineHarness engine(With(KvRole::kBoth, store));
  EngineRequest request = Request("a", 40, 1);
  request.given = {{.token = 5}};
  request.wait_for_commit = true;
  engine.Add(request);
  EXPECT_TRUE(engine.results["a"].last.finished);
  EXPECT_EQ(engine.results["a"].last.reason, FinishReason::kLength);
  EXPECT_EQ(engine.results["a"].text, "e");
  EXPECT_FALSE(engine.core.Step());
  EXPECT_EQ(engine.connector->pending(), 0);
  EXPECT_EQ(engine.core.unfinished(), 0);
}

TEST(EngineCoreTest, GivenLogprobsArePassedOn) {
  EngineHarness engine({});
  EngineRequest request = Request("a", 10, 2);
  request.sampling.logprobs = 1;
  request.given = {
      {.token = 5, .logprobs = TokenLogprobs{.token = 5, .logprob = -0.5f, .rank = 1}}};
  const Result result = engine.RunAlone(request);
  ASSERT_EQ(result.logprobs.size(), 2u);
  EXPECT_EQ(result.logprobs[0].logprob, -0.5f);
  EXPECT_EQ(result.logprobs[1].token, result.tokens[1]);
  EXPECT_EQ(result.logprobs[1].top.size(), 1u);
}

TEST(EngineCoreTest, GivesPromptLogprobs) {
  HarnessOptions options;
  options.engine.max_num_batched_tokens = 7;
  options.engine.enable_prefix_caching = true;
  EngineHarness engine(options);
  EngineRequest request = Request("a", 40, 3);
  request.sampling.prompt_logprobs = 2;
  for (const std::string id : {"a", "b"}) {
    request.id = id;
    const Result result = engine.RunAlone(request);
    ASSERT_EQ(result.prompt_logprobs.size(), 40u);
    EXPECT_THAT(result.prompt_logprobs[0].top, IsEmpty());
    for (int i = 1; i < 40; ++i) {
      EXPECT_EQ(result.prompt_logprobs[i].token, request.prompt[i]);
      EXPECT_EQ(result.prompt_logprobs[i].top.size(), 2u);
      EXPECT_LT(result.prompt_logprobs[i].logprob, 0);
    }
  }
  EXPECT_EQ(engine.decoder.prefill_tokens, 80) << "a cached prefix has no logits";
}

TEST(EngineCoreTest, PromptsShareTheBlocksOfEqualBeginnings) {
  HarnessOptions options;
  options.engine.enable_prefix_caching = true;
  EngineHarness engine(options);
  const Result first = engine.RunAlone(Request("a", 48, 4));
  const Result second = engine.RunAlone(Request("b", 48, 4));
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.last.cached_tokens, 32) << "the last token's block is computed";
  EXPECT_EQ(engine.Metric("vllm:prefix_cache_hits_total"), 32);

  EngineRequest salted = Request("c", 48, 4);
  salted.cache_salt = "s";
  EXPECT_EQ(engine.RunAlone(salted).last.cached_tokens, 0);

  const Result resumed = engine.RunAlone(Resumed(Request("d", 48, 4), first, 1, 0));
  EXPECT_EQ(resumed.tokens, first.tokens);
  EXPECT_EQ(resumed.last.cached_tokens, 48);
  EXPECT_EQ(resumed.last.computed_prompt_tokens, 0);
}

TEST(EngineCoreTest, GeneratedTokensAreNotTakenForAPrompt) {
  HarnessOptions options;
  options.engine.enable_prefix_caching = true;
  EngineHarness engine(options);
  const Result first = engine.RunAlone(Request("a", 20, 30));
  EngineRequest turn = Request("b", 20, 4);
  turn.prompt.insert(turn.prompt.end(), first.tokens.begin(), first.tokens.end());
  const Result second = engine.RunAlone(turn);
  EXPECT_EQ(second.last.cached_tokens, 16);
  EXPECT_EQ(second.tokens, EngineHarness({}).RunAlone(turn).tokens);
}

TEST(EngineCoreTest, PreemptsTheLastAndResumesIt) {
  HarnessOptions options;
  options.engine.num_blocks = 6;
  EngineHarness engine(options);
  const Result alone = EngineHarness({}).RunAlone(Request("a", 30, 40));
  engine.Add(Request("a", 30, 40));
  engine.Add(Request("b", 30, 40));
  engine.RunToEnd();
  EXPECT_EQ(engine.results["a"].tokens, alone.tokens);
  EXPECT_EQ(engine.results["b"].tokens, alone.tokens);
  EXPECT_EQ(engine.Metric("vllm:num_preemptions_total"), 1);
  EXPECT_EQ(engine.results["a"].last.computed_prompt_tokens, 30) << "the first is never preempted";
  EXPECT_EQ(engine.results["b"].last.computed_prompt_tokens, 30 + 14)
      << "two of its three blocks were given to the first, the last ones first";
  EXPECT_EQ(engine.Metric("tandem:preempted_tokens_kept_total"), 16);
  EXPECT_EQ(engine.core.used_blocks(), 0);
}

TEST(EngineCoreTest, APreemptedRequestLosesOnlyWhatOthersNeed) {
  for (const bool prefix_caching : {false, true}) {
    SCOPED_TRACE(prefix_caching);
    HarnessOptions options;
    options.engine.num_blocks = 6;
    options.engine.enable_prefix_caching = prefix_caching;
    EngineHarness engine(options);
    EngineRequest other = Request("b", 30, 40);
    other.prompt = Prompt(30, 5);
    other.sampling.prompt_logprobs = 1;
    other.sampling.logprobs = 1;
    const Result alone = EngineHarness({}).RunAlone(other);
    // The first ends with its 49th token, for which it takes one block of the other's three.
    engine.Add(Request("a", 30, 20));
    engine.Add(other);
    engine.RunToEnd();
    const Result& resumed = engine.results["b"];
    EXPECT_EQ(engine.Metric("vllm:num_preemptions_total"), 1);
    EXPECT_EQ(engine.Metric("tandem:preempted_tokens_kept_total"), 32);
    EXPECT_EQ(resumed.last.computed_prompt_tokens, 30);
    EXPECT_EQ(resumed.last.cached_tokens, 0);
    EXPECT_EQ(engine.Metric("tandem:decode_tokens_replayed_total"), 16);
    EXPECT_EQ(engine.Metric("vllm:prefix_cache_hits_total"), 0);
    EXPECT_EQ(resumed.tokens, alone.tokens);
    ASSERT_EQ(resumed.prompt_logprobs.size(), alone.prompt_logprobs.size());
    EXPECT_EQ(resumed.prompt_logprobs.back().logprob, alone.prompt_logprobs.back().logprob);
    EXPECT_EQ(resumed.logprobs.back().logprob, alone.logprobs.back().logprob);
  }
}

TEST(EngineCoreTest, PromptLogprobsGoOnWhereAPreemptionBrokeThemOff) {
  HarnessOptions options;
  options.engine.num_blocks = 9;
  options.engine.max_num_batched_tokens = 2;
  EngineHarness engine(options);
  EngineRequest scored = Request("b", 90, 3);
  scored.prompt = Prompt(90, 5);
  scored.sampling.prompt_logprobs = 1;
  const Result alone = EngineHarness({}).RunAlone(scored);
  // The first needs a fourth block while the other is on its way through its prompt.
  engine.Add(Request("a", 31, 20));
  engine.Add(scored);
  engine.RunToEnd();
  const Result& resumed = engine.results["b"];
  EXPECT_EQ(engine.Metric("vllm:num_preemptions_total"), 1);
  EXPECT_EQ(engine.Metric("tandem:preempted_tokens_kept_total"), 16);
  EXPECT_EQ(resumed.tokens, alone.tokens);
  ASSERT_EQ(resumed.prompt_logprobs.size(), 90u);
  for (int i = 1; i < 90; ++i) {
    EXPECT_EQ(resumed.prompt_logprobs[i].token, scored.prompt[i]);
    EXPECT_EQ(resumed.prompt_logprobs[i].logprob, alone.prompt_logprobs[i].logprob);
  }
}

TEST(EngineCoreTest, ASmallPoolLimitsTheLength) {
  HarnessOptions options;
  options.engine.num_blocks = 3;
  EngineHarness engine(options);
  EXPECT_EQ(engine.core.max_length(), 48);
  EXPECT_EQ(engine.RunAlone(Request("a", 40, 100)).tokens.size(), 8u);
}

TEST(EngineCoreTest, LogitsThatAreNotNumbersEndTheRequestOnly) {
  EngineHarness engine({});
  engine.decoder.adjust_logits = [&](std::span<float> row) {
    if (engine.decoder.steps == 1) row[3] = std::nanf("");
  };
  engine.Add(Request("a", 10, 4));
  engine.RunToEnd();
  EXPECT_EQ(engine.results["a"].last.reason, FinishReason::kError);
  EXPECT_FALSE(engine.results["a"].last.error.ok());
  EXPECT_EQ(engine.core.used_blocks(), 0);
  EXPECT_EQ(engine.RunAlone(Request("b", 10, 4)).tokens.size(), 4u);
}

TEST(EngineCoreTest, ParametersThatLeaveNoTokenEndTheRequestOnly) {
  EngineHarness engine({});
  EngineRequest request = Request("a", 10, 4);
  request.sampling.allowed_token_ids = {0, 7};
  request.sampling.bad_words = {{7}};
  request.sampling.min_tokens = 2;
  const Result result = engine.RunAlone(request);
  EXPECT_EQ(result.last.reason, FinishReason::kError);
  EXPECT_EQ(result.last.error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine.core.used_blocks(), 0);
  request.id = "b";
  request.sampling.min_tokens = 0;
  EXPECT_THAT(engine.RunAlone(request).tokens, ElementsAre(0, 0, 0, 0));
}

TEST(EngineCoreTest, UnseededRequestsDifferAndSeededOnesDoNot) {
  EngineHarness engine({});
  EngineRequest request = Request("a", 10, 20);
  request.sampling.temperature = 1;
  const Result a = engine.RunAlone(request);
  request.id = "b";
  EXPECT_NE(engine.RunAlone(request).tokens, a.tokens);
  request.sampling.seed = 7;
  request.id = "c";
  const Result c = engine.RunAlone(request);
  request.id = "d";
  EXPECT_EQ(engine.RunAlone(request).tokens, c.tokens);
}

TEST(EngineCoreTest, AbortFreesBlocksInEveryState) {
  HarnessOptions options;
  options.engine.max_num_seqs = 1;
  EngineHarness engine(options);
  engine.Add(Request("running", 40, 9));
  engine.Add(Request("waiting", 40, 9));
  ASSERT_TRUE(engine.core.Step());
  EXPECT_GT(engine.core.used_blocks(), 0);
  engine.core.Abort("waiting");
  engine.core.Abort("unknown");
  engine.core.Abort("running");
  EXPECT_EQ(engine.results["waiting"].last.reason, FinishReason::kAbort);
  EXPECT_EQ(engine.results["running"].last.reason, FinishReason::kAbort);
  EXPECT_EQ(engine.core.used_blocks(), 0);
  EXPECT_FALSE(engine.core.Step());
  EXPECT_EQ(engine.Metric("vllm:request_success_total"), 2);
}

}  // namespace
}  // namespace tandem::engine
