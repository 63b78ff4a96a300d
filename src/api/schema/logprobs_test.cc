#include "api/schema/logprobs.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>

namespace tandem::api {
namespace {

using boost::json::parse;

std::vector<PositionLogprobs> TwoPositions() {
  const TokenChoice first{.id = 4, .text = "é", .bytes = "é", .logprob = 0, .rank = 0};
  const TokenChoice likely{.id = 6, .text = "b", .bytes = "b", .logprob = -0.5f, .rank = 1};
  const TokenChoice sampled{
      .id = 5, .text = "\uFFFD", .bytes = "\xE2\x82", .logprob = -2, .rank = 9};
  return {{.token = first, .top = {}, .has_logprob = false}, {.token = sampled, .top = {likely}}};
}

TEST(LogprobsTest, CompletionsHaveParallelLists) {
  int64_t offset = 10;
  EXPECT_EQ(boost::json::value(CompletionLogprobs(TwoPositions(), offset)),
            parse(R"({"text_offset": [10, 11], "token_logprobs": [null, -2.0],
                      "tokens": ["é", "\ufffd"], "top_logprobs": [null, {"b": -0.5, "\ufffd": -2.0}]})"));
  EXPECT_EQ(offset, 12);
}

TEST(LogprobsTest, ChatTellsBytes) {
  const std::vector<PositionLogprobs> positions = {TwoPositions()[1]};
  EXPECT_EQ(boost::json::value(ChatLogprobs(positions)),
            parse(R"({"content": [{"token": "\ufffd", "logprob": -2.0, "bytes": [226, 130],
                      "top_logprobs": [{"token": "b", "logprob": -0.5, "bytes": [98]}]}]})"));
}

TEST(LogprobsTest, PromptLogprobsAreKeyedById) {
  EXPECT_EQ(boost::json::value(PromptLogprobs(TwoPositions())),
            parse(R"([null, {"5": {"logprob": -2.0, "rank": 9, "decoded_token": "\ufffd"},
                             "6": {"logprob": -0.5, "rank": 1, "decoded_token": "b"}}])"));
}

TEST(LogprobsTest, InfinityIsSentAsALargeNumber) {
  std::vector<PositionLogprobs> positions = {TwoPositions()[1]};
  positions[0].token.logprob = -std::numeric_limits<float>::infinity();
  const boost::json::object json = ChatLogprobs(positions);
  EXPECT_EQ(json.at("content").as_array()[0].at("logprob").as_double(), -9999.0);
}

}  // namespace
}  // namespace tandem::api
