#include "api/server/handoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int kVocabulary = 1000;

absl::StatusOr<engine::EngineRequest> Take(std::string_view json) {
  absl::StatusOr<KvTransferParams> params = KvTransferParams::FromJson(boost::json::parse(json));
  if (!params.ok()) return params.status();
  engine::EngineRequest request;
  const absl::Status status = TakeOver(*params, kVocabulary, request);
  if (!status.ok()) return status;
  return request;
}

TEST(HandOffTest, APrefillWaitsForTheCommit) {
  const auto request = Take(R"({"ret_first_tok": true})");
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(request->wait_for_commit);
  EXPECT_TRUE(request->given.empty());
  EXPECT_EQ(request->committed_tokens, -1);
}

TEST(HandOffTest, ThePrefillsReplyMakesTheDecodersRequest) {
  engine::EngineOutput output;
  output.tokens = {12};
  output.logprobs = {{.token = 12, .logprob = -0.25f, .rank = 2, .top = {{7, -0.125f}}}};
  output.finished = true;
  output.reason = engine::FinishReason::kLength;
  output.committed_tokens = 300;
  output.saved_bytes = 4096;
  HandOver hand_over("model=m");
  hand_over.Note(output);
  const std::string wire = boost::json::serialize(hand_over.Params().ToJson());
  EXPECT_THAT(wire, HasSubstr(R"("namespace":"model=m")"));
  EXPECT_THAT(wire, HasSubstr(R"("stored_bytes":4096)"));

  const auto request = Take(wire);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->wait_for_commit);
  EXPECT_EQ(request->committed_tokens, 300);
  EXPECT_EQ(request->given_already_sent, 0);
  ASSERT_EQ(request->given.size(), 1u);
  EXPECT_EQ(request->given[0].token, 12);
  ASSERT_TRUE(request->given[0].logprobs);
  EXPECT_FLOAT_EQ(request->given[0].logprobs->logprob, -0.25f);
  EXPECT_EQ(request->given[0].logprobs->rank, 2);
  EXPECT_THAT(request->given[0].logprobs->top, ElementsAre(Pair(7, -0.125f)));
}

TEST(HandOffTest, OnlyAStopEndsTheRequestAtTheFirstToken) {
  engine::EngineOutput output;
  output.tokens = {12};
  output.finished = true;
  output.reason = engine::FinishReason::kLength;
  HandOver by_length("");
  by_length.Note(output);
  EXPECT_EQ(by_length.Params().first_tok_finish_reason, "");
  output.reason = engine::FinishReason::kStop;
  HandOver by_stop("");
  by_stop.Note(output);
  EXPECT_EQ(by_stop.Params().first_tok_finish_reason, "stop");
}

TEST(HandOffTest, AResumedStreamReplaysWhatTheClientHas) {
  const auto request =
      Take(R"({"first_tok": 12, "committed_tokens": 64, "resume_tokens": [12, 13, 14]})");
  ASSERT_TRUE(request.ok());
  ASSERT_EQ(request->given.size(), 3u);
  EXPECT_EQ(request->given[2].token, 14);
  EXPECT_EQ(request->given_already_sent, 3);
}

TEST(HandOffTest, RefusesIdsThatCannotBe) {
  EXPECT_THAT(std::string(Take(R"({"first_tok": 1000})").status().message()),
              HasSubstr("kv_transfer_params.first_tok is token id 1000; ids from 0 to 999"));
  EXPECT_THAT(std::string(Take(R"({"resume_tokens": [5000]})").status().message()),
              HasSubstr("kv_transfer_params.resume_tokens is token id 5000"));
  EXPECT_THAT(std::string(Take(R"({"first_tok": 1, "resume_tokens": [2, 1]})").status().message()),
              HasSubstr("must begin with first_tok, 1, got 2"));
  EXPECT_THAT(
      std::string(Take(R"({"first_tok": 1, "first_tok_logprobs": {"token": 1, "top": [3]}})")
                      .status()
                      .message()),
      HasSubstr("first_tok_logprobs.top must be a list of [token id, logprob], got [3]"));
}

}  // namespace
}  // namespace tandem::api
