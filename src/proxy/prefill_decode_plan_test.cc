#include "proxy/prefill_decode_plan.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::parse;

const object kHandOff{{"first_tok", 5}, {"committed_tokens", 32}};

TEST(PrefillDecodePlanTest, ThePrefillerGetsTheSameRequestForOneToken) {
  const PrefillDecodePlan plan(
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":128,)"
      R"("max_completion_tokens":64,"min_tokens":7,"temperature":0.7,"logprobs":true,"stream":true,)"
      R"("stream_options":{"include_usage":true}})");
  ASSERT_TRUE(plan.splits());
  EXPECT_EQ(parse(plan.PrefillBody()),
            parse(R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1,)"
                  R"("max_completion_tokens":1,"min_tokens":1,"temperature":0.7,"logprobs":true,)"
                  R"("stream":false,"kv_transfer_params":{"ret_first_tok":true}})"));
}

TEST(PrefillDecodePlanTest, ThePrefillerGetsMaxTokensThatWereNotGiven) {
  const PrefillDecodePlan plan(R"({"prompt":[1,2,3]})");
  ASSERT_TRUE(plan.splits());
  EXPECT_EQ(parse(plan.PrefillBody()), parse(R"({"prompt":[1,2,3],"max_tokens":1,"stream":false,)"
                                             R"("kv_transfer_params":{"ret_first_tok":true}})"));
}

TEST(PrefillDecodePlanTest, TheDecoderGetsTheRequestAndTheHandOff) {
  const PrefillDecodePlan plan(R"({"prompt":"hi","kv_transfer_params":{"own":1}})");
  EXPECT_EQ(parse(plan.DecodeBody(kHandOff, {})),
            parse(R"({"prompt":"hi","kv_transfer_params":)"
                  R"({"own":1,"first_tok":5,"committed_tokens":32}})"));
}

TEST(PrefillDecodePlanTest, ADecoderThatTakesOverGetsTheIdsSoFar) {
  const PrefillDecodePlan plan(R"({"prompt":"hi","stream":true})");
  ASSERT_TRUE(plan.resumable());
  const std::vector<int32_t> ids{5, 6};
  EXPECT_EQ(parse(plan.DecodeBody(kHandOff, ids)),
            parse(R"({"prompt":"hi","stream":true,"return_token_ids":true,"kv_transfer_params":)"
                  R"({"first_tok":5,"committed_tokens":32,"resume_tokens":[5,6]}})"));
  EXPECT_EQ(parse(plan.DecodeBody({}, ids)).at("kv_transfer_params"),
            parse(R"({"resume_tokens":[5,6]})"));
}

TEST(PrefillDecodePlanTest, WhatNeedsNoChangeIsPassedAsItIs) {
  const std::string body = R"({ "prompt" : "hi", "n": 2 })";
  EXPECT_EQ(PrefillDecodePlan(body).DecodeBody({}, {}), body);
  const PrefillDecodePlan broken("{not json");
  EXPECT_FALSE(broken.splits());
  EXPECT_EQ(broken.DecodeBody({}, {}), "{not json");
}

TEST(PrefillDecodePlanTest, WhatCannotBeWrittenAgainIsPassedAsItIs) {
  const std::string body = R"({"prompt":"x","temperature":1e400,"stream":true})";
  const PrefillDecodePlan plan(body);
  EXPECT_FALSE(plan.splits());
  EXPECT_EQ(plan.DecodeBody({}, {}), body);
}

TEST(PrefillDecodePlanTest, SomeRequestsAreNotSplit) {
  for (const char* body :
       {R"({"prompt":"a","n":2})", R"({"prompt":"a","best_of":2})",
        R"({"prompt":"a","prompt_logprobs":0})", R"({"prompt":"a","echo":true,"logprobs":0})",
        R"({"prompt":["a","b"]})", R"({"prompt":["a"]})", R"({"prompt":[[1,2]]})",
        R"({"prompt":"a","max_tokens":0})",
        R"({"prompt":"a","kv_transfer_params":{"first_tok":1}})",
        R"({"prompt":"a","kv_transfer_params":"x"})", R"([1])", ""}) {
    EXPECT_FALSE(PrefillDecodePlan(body).splits()) << body;
  }
  for (const char* body :
       {R"({"prompt":"a","n":1,"best_of":1})", R"({"prompt":"a","echo":true})",
        R"({"prompt":"a","logprobs":3,"echo":false})", R"({"prompt":"a","n":null,"echo":null})",
        R"({"messages":[]})", R"({"prompt":"a","max_tokens":1})"}) {
    EXPECT_TRUE(PrefillDecodePlan(body).splits()) << body;
  }
}

TEST(PrefillDecodePlanTest, OnlyAStreamOfOneChoiceCanBeResumed) {
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":"a","stream":true})").resumable());
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":"a","stream":true,"prompt_logprobs":1})").resumable());
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":"a","stream":true,"n":2})").resumable());
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":["a","b"],"stream":true})").resumable());
  EXPECT_FALSE(PrefillDecodePlan(R"({"prompt":"a","stream":true,"n":5000})").resumable());
  EXPECT_FALSE(PrefillDecodePlan(R"({"prompt":"a"})").resumable());
}

TEST(PrefillDecodePlanTest, TheFirstTokenMayBeTheLast) {
  const object stop{{"first_tok", 5}, {"first_tok_finish_reason", "stop"}};
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":"a"})").EndsWithPrefill(stop));
  EXPECT_FALSE(PrefillDecodePlan(R"({"prompt":"a"})").EndsWithPrefill(kHandOff));
  EXPECT_TRUE(PrefillDecodePlan(R"({"prompt":"a","max_tokens":1})").EndsWithPrefill(kHandOff));
  EXPECT_TRUE(PrefillDecodePlan(R"({"messages":[],"max_tokens":9,"max_completion_tokens":1})")
                  .EndsWithPrefill(kHandOff));
}

TEST(PrefillDecodePlanTest, TheFirstTokenIsNotTheLastBeforeMinTokens) {
  const object stop{{"first_tok", 5}, {"first_tok_finish_reason", "stop"}};
  const PrefillDecodePlan plan(R"({"prompt":"a","min_tokens":2})");
  EXPECT_FALSE(plan.EndsWithPrefill(stop));
  EXPECT_EQ(parse(plan.DecodeBody(stop, {})).at("kv_transfer_params"), parse(R"({"first_tok":5})"));
}

TEST(PrefillDecodePlanTest, AChoiceAloneHasItsPromptAndSeed) {
  const PrefillDecodePlan plan(
      R"({"prompt":["a",[1,2]],"stream":true,"n":2,"best_of":2,"seed":7,"max_tokens":3})");
  EXPECT_EQ(plan.choices(), 4);
  EXPECT_EQ(plan.choices_of_a_prompt(), 2);
  EXPECT_EQ(boost::json::parse(plan.ForChoice(3).DecodeBody({}, std::vector<int32_t>{5})),
            boost::json::parse(R"({"prompt":[1,2],"stream":true,"seed":8,"max_tokens":3,)"
                               R"("return_token_ids":true,)"
                               R"("kv_transfer_params":{"resume_tokens":[5]}})"));
  EXPECT_EQ(boost::json::parse(plan.ForChoice(0).DecodeBody({}, {})),
            boost::json::parse(R"({"prompt":"a","stream":true,"seed":7,"max_tokens":3,)"
                               R"("return_token_ids":true})"));
}

TEST(PrefillDecodePlanTest, AChoiceAloneStaysWithoutSeed) {
  const auto seed_of = [](const std::string& seed, int choice) {
    const PrefillDecodePlan plan(R"({"prompt":"a","n":4,"seed":)" + seed + "}");
    return boost::json::parse(plan.ForChoice(choice).DecodeBody({}, {})).at("seed");
  };
  EXPECT_EQ(seed_of("-1", 2), -1);
  // -1 would be none.
  EXPECT_EQ(seed_of("-3", 2), 0);
}

}  // namespace
}  // namespace tandem::proxy
