#include "proxy/decoder_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Chunk(const std::string& id, const std::string& text, const std::string& token_ids) {
  return "data: {\"id\":\"" + id + "\",\"created\":1,\"choices\":[{\"index\":0,\"text\":\"" + text +
         "\",\"logprobs\":null,\"finish_reason\":null,\"token_ids\":[" + token_ids + "]}]}\n\n";
}

TEST(DecoderStreamTest, PassesBytesAsTheyAre) {
  DecoderStream stream({});
  EXPECT_EQ(stream.Relay(": comment\nda"), ": comment\nda");
  EXPECT_EQ(stream.Relay("ta: [DO"), "ta: [DO");
  EXPECT_FALSE(stream.done());
  EXPECT_EQ(stream.Relay("NE]\n\n"), "NE]\n\n");
  EXPECT_TRUE(stream.done());
}

TEST(DecoderStreamTest, CollectsAndStripsIds) {
  DecoderStream stream({.collect_ids = true, .strip_ids = true});
  const std::string chunk = Chunk("a", "x", "7");
  EXPECT_EQ(stream.Relay(chunk.substr(0, 20)), "");
  EXPECT_EQ(stream.Relay(chunk.substr(20)),
            "data: {\"id\":\"a\",\"created\":1,\"choices\":[{\"index\":0,\"text\":\"x\","
            "\"logprobs\":null,\"finish_reason\":null}]}\n\n");
  EXPECT_EQ(stream.Relay(Chunk("a", "", "8")), "");
  EXPECT_THAT(stream.ids(), ElementsAre(7, 8));
  EXPECT_EQ(stream.Relay("data: [DONE]\n\n"), "data: [DONE]\n\n");
  EXPECT_TRUE(stream.done());
}

TEST(DecoderStreamTest, KeepsIdsThatTheClientWants) {
  DecoderStream stream({.collect_ids = true, .strip_ids = false});
  EXPECT_EQ(stream.Relay(Chunk("a", "", "7")), Chunk("a", "", "7"));
  EXPECT_THAT(stream.ids(), ElementsAre(7));
}

TEST(DecoderStreamTest, ContinuesUnderTheSameId) {
  DecoderStream stream({.collect_ids = true, .strip_ids = true});
  stream.Relay(Chunk("a", "x", "7") + "data: {\"cut");
  stream.Continue();
  const std::string continued = stream.Relay(Chunk("b", "y", "8"));
  EXPECT_THAT(continued, HasSubstr("\"id\":\"a\""));
  EXPECT_THAT(continued, HasSubstr("\"text\":\"y\""));
  EXPECT_THAT(continued, Not(HasSubstr("token_ids")));
  EXPECT_THAT(stream.ids(), ElementsAre(7, 8));
}

TEST(DecoderStreamTest, NoticesTheEndOfTheChoice) {
  DecoderStream stream({.collect_ids = true, .strip_ids = true});
  stream.Relay(Chunk("a", "x", "7"));
  EXPECT_FALSE(stream.finished());
  stream.Relay("data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n");
  EXPECT_TRUE(stream.finished());
  EXPECT_FALSE(stream.done());
}

TEST(DecoderStreamTest, KeepsARefusalFromTheClient) {
  DecoderStream stream({.collect_ids = true, .strip_ids = true});
  stream.Relay(Chunk("a", "x", "7"));
  EXPECT_EQ(stream.Relay("data: {\"error\":{\"message\":\"stopping\",\"code\":503}}\n\n"
                         "data: [DONE]\n\n"),
            "");
  EXPECT_EQ(stream.refusal(), "stopping");
  EXPECT_FALSE(stream.done());
  stream.Continue();
  EXPECT_EQ(stream.refusal(), "");
  EXPECT_THAT(stream.Relay(Chunk("b", "y", "8")), HasSubstr("\"text\":\"y\""));
}

}  // namespace
}  // namespace tandem::proxy
