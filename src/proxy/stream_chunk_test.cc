#include "proxy/stream_chunk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace tandem::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int32_t> Ids(std::string_view chunk) {
  std::vector<int32_t> ids;
  CollectTokenIds(chunk, ids);
  return ids;
}

std::string Stripped(std::string chunk) {
  StripTokenIds(chunk);
  return chunk;
}

TEST(StreamChunkTest, FindsTokenIds) {
  EXPECT_THAT(Ids(R"({"choices":[{"text":"a","token_ids":[12,0,345]}]})"), ElementsAre(12, 0, 345));
  EXPECT_THAT(Ids(R"({"choices":[{"token_ids":[1, 2],"text":"a"}]})"), ElementsAre(1, 2));
  EXPECT_THAT(Ids(R"({"token_ids":[]})"), IsEmpty());
  EXPECT_THAT(Ids(R"({"prompt_token_ids":[1],"token_ids":null})"), IsEmpty());
}

TEST(StreamChunkTest, TextIsNotTakenForTokenIds) {
  const std::string chunk = R"({"text":"\"token_ids\":[1,2]","x":",\"token_ids\":[3"})";
  EXPECT_THAT(Ids(chunk), IsEmpty());
  EXPECT_EQ(Stripped(chunk), chunk);
}

TEST(StreamChunkTest, AChunkThatIsCutOffDoesNoHarm) {
  EXPECT_THAT(Ids(R"({"token_ids":[1,2)"), ElementsAre(1, 2));
  EXPECT_THAT(Ids(R"({"token_ids":[)"), IsEmpty());
  EXPECT_EQ(Stripped(R"({"token_ids":[1)"), R"({"token_ids":[1)");
}

TEST(StreamChunkTest, StripsTokenIdsWhereverTheyStand) {
  EXPECT_EQ(Stripped(R"({"a":1,"token_ids":[1,2]})"), R"({"a":1})");
  EXPECT_EQ(Stripped(R"({"token_ids":[1],"a":1})"), R"({"a":1})");
  EXPECT_EQ(Stripped(R"({"token_ids":[]})"), R"({})");
  EXPECT_EQ(Stripped(R"({"a":1,"token_ids":[1],"b":[2],"prompt_token_ids":[3,4]})"),
            R"({"a":1,"b":[2]})");
}

TEST(StreamChunkTest, KnowsChunksThatTellNothing) {
  EXPECT_TRUE(IsEmptyChunk(R"({"choices":[{"text":"","logprobs":null,"finish_reason":null}]})"));
  EXPECT_TRUE(IsEmptyChunk(
      R"({"choices":[{"delta":{"content":""},"logprobs":null,"finish_reason":null}]})"));
  for (const char* chunk :
       {R"({"choices":[{"text":"a","logprobs":null,"finish_reason":null}]})",
        R"({"choices":[{"text":"","logprobs":null,"finish_reason":"stop"}]})",
        R"({"choices":[{"text":"","logprobs":{"tokens":[""]},"finish_reason":null}]})",
        R"({"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]})",
        R"({"choices":[],"usage":{}})", R"({"error":{}})"}) {
    EXPECT_FALSE(IsEmptyChunk(chunk)) << chunk;
  }
}

TEST(StreamChunkTest, AContinuationLooksLikeTheBeginning) {
  const std::string first = R"({"id":"a","created":1,"model":"m","choices":[]})";
  EXPECT_EQ(
      boost::json::parse(ContinueChunk(
          R"({"id":"b","created":2,"model":"m","choices":[{"delta":{"content":"x"}}]})", first)),
      boost::json::parse(
          R"({"id":"a","created":1,"model":"m","choices":[{"delta":{"content":"x"}}]})"));
  EXPECT_EQ(boost::json::parse(ContinueChunk(
                R"({"id":"b","choices":[{"delta":{"role":"assistant","content":"x"}}]})", first)),
            boost::json::parse(R"({"id":"a","choices":[{"delta":{"content":"x"}}],"created":1})"));
  EXPECT_EQ(ContinueChunk(R"({"id":"b","choices":[{"delta":{"role":"assistant","content":""},)"
                          R"("finish_reason":null}]})",
                          first),
            "");
  EXPECT_EQ(ContinueChunk(R"({"error":{"message":"x"}})", first), R"({"error":{"message":"x"}})");
}

TEST(StreamChunkTest, AContinuedChoiceHasItsIndexAndItsRoleOnce) {
  const std::string first = R"({"id":"a"})";
  const std::string role = R"({"id":"a","choices":[{"index":0,"delta":{"role":"assistant",)"
                           R"("content":""},"finish_reason":null}]})";
  EXPECT_EQ(boost::json::parse(ContinueChunk(role, first, {.index = 2, .opened = false}))
                .at("choices")
                .at(0),
            boost::json::parse(R"({"index":2,"delta":{"role":"assistant","content":""},)"
                               R"("finish_reason":null})"));
  EXPECT_EQ(ContinueChunk(role, first, {.index = 2, .opened = true}), "");
}

TEST(StreamChunkTest, TellsWhatBecomesOfEachChoice) {
  const auto news = ReadChoices(
      R"({"choices":[{"index":1,"text":"a","token_ids":[4,5],"prompt_token_ids":[1,2,3],)"
      R"("finish_reason":null},{"index":3,"text":"","finish_reason":"stop"}]})");
  ASSERT_EQ(news.size(), 2u);
  EXPECT_EQ(news[0].choice, 1);
  EXPECT_THAT(news[0].ids, ElementsAre(4, 5));
  EXPECT_EQ(news[0].prompt_tokens, 3);
  EXPECT_TRUE(news[0].has_text);
  EXPECT_FALSE(news[0].finished);
  EXPECT_EQ(news[1].choice, 3);
  EXPECT_TRUE(news[1].finished);
  EXPECT_EQ(ReadChoices(R"({"prompt_token_ids":[1],"choices":[{"index":0,"delta":{"content":""},)"
                        R"("finish_reason":null}]})")
                .at(0)
                .prompt_tokens,
            1);
  for (const char* other : {R"({"choices":[],"usage":{}})", R"({"error":{}})", "[DONE]", ""}) {
    EXPECT_TRUE(ReadChoices(other).empty()) << other;
  }
}

TEST(StreamChunkTest, TellsAndWritesUsage) {
  const std::string chunk = UsageChunk(R"({"id":"a","choices":[{"text":"x"}]})", 3, 4);
  EXPECT_EQ(boost::json::parse(chunk),
            boost::json::parse(R"({"id":"a","choices":[],"usage":{"prompt_tokens":3,)"
                               R"("completion_tokens":4,"total_tokens":7}})"));
  EXPECT_EQ(PromptTokensOfUsage(chunk), 3);
  for (const char* other : {R"({"choices":[{}],"usage":{"prompt_tokens":3}})",
                            R"({"choices":[],"usage":{"prompt_tokens":1.5}})", "[DONE]"}) {
    EXPECT_FALSE(PromptTokensOfUsage(other).has_value()) << other;
  }
}

TEST(StreamChunkTest, AContinuationsNumbersStayAsTheyAre) {
  const std::string chunk =
      R"({"id":"a","choices":[{"logprobs":{"token_logprobs":[-3.7085242569446564E-2]}}]})";
  EXPECT_EQ(ContinueChunk(chunk, R"({"id":"a"})"), chunk);
}

TEST(StreamChunkTest, ARefusalIsAnErrorWithCode503) {
  EXPECT_EQ(Refusal(R"({"error":{"message":"stopping","code":503}})"), "stopping");
  EXPECT_EQ(Refusal(R"({"error":{"code":503}})"), "it is stopping");
  for (const char* event :
       {R"({"error":{"message":"failed","code":500}})", R"({"error":"stopping"})", R"({"error)",
        R"({"id":"a","choices":[{"text":"{\"error\":{\"code\":503}}"}]})", "[DONE]", ""}) {
    EXPECT_EQ(Refusal(event), "") << event;
  }
}

}  // namespace
}  // namespace tandem::proxy
