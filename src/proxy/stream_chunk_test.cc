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

}  // namespace
}  // namespace tandem::proxy
