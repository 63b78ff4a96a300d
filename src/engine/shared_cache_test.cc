#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/engine_harness.h"

namespace tandem::engine {
namespace {

using cache::KvRole;
using ::testing::ElementsAre;
using testing::EngineHarness;
using testing::FakeStore;
using testing::HarnessOptions;
using testing::Result;

EngineRequest Request(const std::string& id, int prompt_length, int max_tokens) {
  EngineRequest request = {
      .id = id, .sampling = {.temperature = 0, .max_tokens = max_tokens, .ignore_eos = true}};
  for (int i = 0; i < prompt_length; ++i) request.prompt.push_back(1 + (i * 11) % 60);
  return request;
}

// A prefiller and a decoder that share a store, and what one instance alone gives.
class SharedCacheTest : public ::testing::Test {
 protected:
  static HarnessOptions With(KvRole role, FakeStore* store) {
    HarnessOptions options;
    options.engine.max_num_batched_tokens = 64;
    options.role = role;
    options.store = store;
    return options;
  }

  // Prefills on the prefiller; the request that the decoder gets.
  EngineRequest HandOff(const EngineRequest& request) {
    EngineRequest prefill = request;
    prefill.sampling.max_tokens = 1;
    prefill.wait_for_commit = true;
    const Result result = prefiller_.RunAlone(prefill);
    EngineRequest decode = request;
    decode.given = {{.token = result.tokens[0]}};
    decode.committed_tokens = result.last.committed_tokens;
    return decode;
  }

  FakeStore store_;
  EngineHarness alone_{{}};
  EngineHarness prefiller_{With(KvRole::kProducer, &store_)};
  EngineHarness decoder_{With(KvRole::kConsumer, &store_)};
};

TEST_F(SharedCacheTest, TheDecoderComputesNoPromptToken) {
  const EngineRequest request = Request("a", 150, 12);
  const Result expected = alone_.RunAlone(request);
  const EngineRequest decode = HandOff(request);
  EXPECT_EQ(prefiller_.results["a"].last.committed_tokens, 150);
  EXPECT_EQ(prefiller_.results["a"].last.saved_bytes, 150 * 16);
  EXPECT_EQ(prefiller_.connector->lookups(), 0);

  const Result result = decoder_.RunAlone(decode);
  EXPECT_EQ(result.tokens, expected.tokens);
  EXPECT_EQ(result.text, expected.text);
  EXPECT_EQ(decoder_.decoder.prefill_tokens, 0);
  EXPECT_EQ(result.last.cached_tokens, 150);
  EXPECT_EQ(result.last.computed_prompt_tokens, 0);
  EXPECT_EQ(result.last.loaded_bytes, 150 * 16);
  EXPECT_EQ(decoder_.Metric("tandem:prompt_tokens_computed_total"), 0);
  EXPECT_EQ(decoder_.Metric("vllm:external_prefix_cache_queries_total"), 150);
  EXPECT_EQ(decoder_.Metric("vllm:external_prefix_cache_hits_total"), 150);
  EXPECT_EQ(decoder_.Metric("tandem:external_loaded_tokens_total"), 150);
  EXPECT_EQ(prefiller_.Metric("tandem:external_stored_tokens_total"), 150);
  EXPECT_EQ(store_.size(), 5) << "a consumer saves nothing";
  EXPECT_EQ(prefiller_.core.used_blocks() + decoder_.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, TheFirstTokenIsEmittedBeforeTheLoadEnds) {
  const EngineRequest decode = HandOff(Request("a", 150, 12));
  decoder_.Add(decode);
  EXPECT_EQ(decoder_.results["a"].tokens.size(), 1u);
  EXPECT_FALSE(decoder_.core.Step()) << "the lookup has not ended";
  decoder_.connector->RunAll();
  EXPECT_FALSE(decoder_.core.Step()) << "the load has not ended";
  EXPECT_EQ(decoder_.results["a"].tokens.size(), 1u);
  decoder_.RunToEnd();
  EXPECT_EQ(decoder_.results["a"].tokens.size(), 12u);
}

TEST_F(SharedCacheTest, OthersRunWhileOneWaitsForItsLookupAndItsLoad) {
  decoder_.connector->RunImmediately();
  const EngineRequest decode = HandOff(Request("a", 150, 12));
  EngineHarness busy(With(KvRole::kConsumer, &store_));
  busy.Add(Request("other", 20, 100));
  busy.connector->RunAll();
  ASSERT_TRUE(busy.core.Step());
  busy.Add(decode);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(busy.core.Step());
  EXPECT_EQ(busy.results["other"].tokens.size(), 21u) << "beside the lookup";
  busy.connector->RunAll();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(busy.core.Step());
  EXPECT_EQ(busy.results["other"].tokens.size(), 41u) << "beside the load";
  EXPECT_EQ(busy.results["a"].tokens.size(), 1u);
  busy.RunToEnd();
  EXPECT_EQ(busy.results["a"].tokens.size(), 12u);
}

TEST_F(SharedCacheTest, AFullHitWithoutAGivenTokenComputesTheLastOne) {
  HandOff(Request("a", 150, 12));
  const Result result = decoder_.RunAlone(Request("b", 150, 12));
  EXPECT_EQ(result.tokens, alone_.RunAlone(Request("b", 150, 12)).tokens);
  EXPECT_EQ(decoder_.decoder.prefill_tokens, 1);
  EXPECT_EQ(result.last.cached_tokens, 149);
}

TEST_F(SharedCacheTest, APartialHitComputesTheRest) {
  HandOff(Request("a", 70, 12));
  const Result result = decoder_.RunAlone(Request("b", 150, 12));
  EXPECT_EQ(result.tokens, alone_.RunAlone(Request("b", 150, 12)).tokens);
  EXPECT_EQ(result.last.cached_tokens, 64);
  EXPECT_EQ(decoder_.decoder.prefill_tokens, 86);
}

TEST_F(SharedCacheTest, WhatIsGoneWhenItIsLoadedIsComputed) {
  const EngineRequest decode = HandOff(Request("a", 150, 12));
  decoder_.Add(decode);
  decoder_.connector->RunAll();
  decoder_.core.Step();
  store_.Evict();
  decoder_.RunToEnd();
  EXPECT_EQ(decoder_.results["a"].tokens, alone_.RunAlone(Request("a", 150, 12)).tokens);
  EXPECT_EQ(decoder_.decoder.prefill_tokens, 150);
  EXPECT_EQ(decoder_.Metric("tandem:external_load_failures_total"), 1);
  EXPECT_EQ(decoder_.Metric("vllm:external_prefix_cache_hits_total"), 0);
}

TEST_F(SharedCacheTest, TheReplyWaitsUntilAllIsCommitted) {
  EngineRequest request = Request("a", 150, 1);
  request.wait_for_commit = true;
  prefiller_.Add(request);
  while (prefiller_.core.Step()) {
  }
  EXPECT_EQ(prefiller_.connector->pending(), 3) << "a save for each chunk of the prefill";
  EXPECT_FALSE(prefiller_.results["a"].last.finished);
  EXPECT_GT(prefiller_.core.used_blocks(), 0) << "pinned until they are saved";
  prefiller_.connector->RunAll();
  prefiller_.core.Step();
  EXPECT_TRUE(prefiller_.results["a"].last.finished);
  EXPECT_EQ(prefiller_.results["a"].last.committed_tokens, 150);
  prefiller_.core.Step();
  EXPECT_EQ(prefiller_.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, TheReplyWaitsNoLongerThanTheTimeout) {
  EngineRequest request = Request("a", 150, 1);
  request.wait_for_commit = true;
  prefiller_.Add(request);
  while (prefiller_.core.Step()) {
  }
  prefiller_.connector->Run(0);
  ASSERT_EQ(prefiller_.core.deadline(),
            prefiller_.clock.Now() + prefiller_.connector->commit_timeout());
  prefiller_.clock.Advance(std::chrono::seconds(10));
  prefiller_.core.Step();
  EXPECT_TRUE(prefiller_.results["a"].last.finished);
  EXPECT_EQ(prefiller_.results["a"].last.committed_tokens, 64);
  EXPECT_EQ(prefiller_.Metric("tandem:commit_timeouts_total"), 1);
  EXPECT_GT(prefiller_.core.used_blocks(), 0) << "two saves still use their blocks";
  prefiller_.connector->RunAll();
  prefiller_.core.Step();
  EXPECT_EQ(prefiller_.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, BlocksOfAnAbortedLoadStayUntilItEnds) {
  const EngineRequest decode = HandOff(Request("a", 150, 12));
  decoder_.Add(decode);
  decoder_.connector->RunAll();
  decoder_.core.Step();
  decoder_.core.Abort("a");
  EXPECT_EQ(decoder_.results["a"].last.reason, FinishReason::kAbort);
  decoder_.core.Step();
  EXPECT_EQ(decoder_.core.used_blocks(), 10);
  decoder_.connector->RunAll();
  decoder_.core.Step();
  EXPECT_EQ(decoder_.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, AnAbortDuringTheLookupNeedsNoLookup) {
  decoder_.Add(Request("a", 50, 3));
  decoder_.core.Abort("a");
  EXPECT_EQ(decoder_.core.unfinished(), 0);
  decoder_.connector->RunAll();
  EXPECT_FALSE(decoder_.core.Step());
  EXPECT_EQ(decoder_.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, ARequestThatCommitsCanBeAborted) {
  EngineRequest request = Request("a", 50, 1);
  request.wait_for_commit = true;
  prefiller_.Add(request);
  while (prefiller_.core.Step()) {
  }
  prefiller_.core.Abort("a");
  EXPECT_EQ(prefiller_.results["a"].last.reason, FinishReason::kAbort);
  prefiller_.connector->RunAll();
  prefiller_.core.Step();
  EXPECT_EQ(prefiller_.core.used_blocks(), 0);
  EXPECT_EQ(prefiller_.core.deadline(), std::nullopt);
}

TEST_F(SharedCacheTest, LoadsOnlyBehindTheLocalPrefix) {
  HarnessOptions options = With(KvRole::kConsumer, &store_);
  options.engine.enable_prefix_caching = true;
  EngineHarness decoder(options);
  HandOff(Request("a", 150, 12));
  ASSERT_EQ(decoder.RunAlone(Request("short", 70, 2)).last.loaded_bytes, 64 * 16);
  const EngineRequest decode = HandOff(Request("b", 150, 12));
  const Result result = decoder.RunAlone(decode);
  EXPECT_EQ(result.tokens, alone_.RunAlone(Request("b", 150, 12)).tokens);
  EXPECT_EQ(result.last.loaded_bytes, (150 - 64) * 16);
  EXPECT_EQ(result.last.cached_tokens, 150);
}

TEST_F(SharedCacheTest, APreemptedRequestLoadsAgain) {
  HarnessOptions options = With(KvRole::kConsumer, &store_);
  options.engine.num_blocks = 7;
  EngineHarness decoder(options);
  const EngineRequest request = Request("a", 40, 50);
  EngineRequest decode = HandOff(request);
  decoder.Add(decode);
  decode.id = "b";
  decoder.Add(decode);
  decoder.RunToEnd();
  const Result expected = alone_.RunAlone(request);
  EXPECT_EQ(decoder.results["a"].tokens, expected.tokens);
  EXPECT_EQ(decoder.results["b"].tokens, expected.tokens);
  EXPECT_GE(decoder.Metric("vllm:num_preemptions_total"), 1);
  EXPECT_EQ(decoder.decoder.prefill_tokens, 0);
  EXPECT_EQ(decoder.core.used_blocks(), 0);
}

TEST_F(SharedCacheTest, PromptLogprobsAreNotServedFromTheCache) {
  HandOff(Request("a", 150, 2));
  EngineRequest request = Request("b", 150, 2);
  request.sampling.prompt_logprobs = 0;
  const Result result = decoder_.RunAlone(request);
  EXPECT_EQ(decoder_.connector->lookups(), 0);
  EXPECT_EQ(result.prompt_logprobs.size(), 150u);
  EXPECT_EQ(result.last.computed_prompt_tokens, 150);
}

TEST_F(SharedCacheTest, SaltsDoNotShare) {
  HandOff(Request("a", 150, 2));
  EngineRequest request = Request("b", 150, 2);
  request.cache_salt = "other";
  EXPECT_EQ(decoder_.RunAlone(request).last.cached_tokens, 0);
}

TEST_F(SharedCacheTest, ARoleOfNoneNeverLooksUp) {
  EngineHarness engine(With(KvRole::kNone, &store_));
  engine.RunAlone(Request("a", 150, 2));
  EXPECT_EQ(engine.connector->lookups(), 0);
  EXPECT_EQ(store_.size(), 0);
}

TEST_F(SharedCacheTest, UpstreamsProxyAppendsTheFirstTokenToThePrompt) {
  const EngineRequest request = Request("a", 150, 12);
  const EngineRequest decode = HandOff(request);
  EngineRequest upstream = Request("u", 150, 11);
  upstream.prompt.push_back(decode.given[0].token);
  const Result result = decoder_.RunAlone(upstream);
  EXPECT_EQ(result.tokens.size(), 11u);
  EXPECT_GE(result.last.cached_tokens, 128);
}

}  // namespace
}  // namespace tandem::engine
