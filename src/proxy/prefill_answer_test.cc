#include "proxy/prefill_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "http/event_stream.h"

namespace tandem::proxy {
namespace {

using boost::json::object;
using boost::json::parse;
using boost::json::value;

object ChatReply() {
  return parse(R"({"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[)"
               R"({"index":0,"message":{"role":"assistant","content":"Yes"},"logprobs":null,)"
               R"("finish_reason":"stop","stop_reason":2}],"usage":{"total_tokens":4},)"
               R"("kv_transfer_params":{"first_tok":5}})")
      .as_object();
}

/// The events of a stream, "[DONE]" as a string.
std::vector<value> Events(const std::string& body) {
  http::EventParser parser;
  std::vector<value> events;
  EXPECT_TRUE(parser
                  .Feed(body,
                        [&events](std::string_view data) {
                          events.push_back(data == "[DONE]" ? value("[DONE]")
                                                            : parse(std::string(data)));
                        })
                  .ok());
  return events;
}

TEST(PrefillAnswerTest, AWholeReplyLosesTheHandOff) {
  const http::Response response = PrefillAnswer(ChatReply(), {.chat = true});
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/json");
  object expected = ChatReply();
  expected.erase("kv_transfer_params");
  EXPECT_EQ(parse(response.body), expected);
}

TEST(PrefillAnswerTest, AChatStreamHasRoleTextUsageAndEnd) {
  const http::Response response =
      PrefillAnswer(ChatReply(), {.chat = true, .stream = true, .include_usage = true});
  EXPECT_THAT(response.headers.Get("Content-Type").value_or(""),
              testing::StartsWith("text/event-stream"));
  const std::string head =
      R"({"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":)";
  EXPECT_THAT(Events(response.body),
              testing::ElementsAre(
                  parse(head + R"([{"index":0,"delta":{"role":"assistant","content":""},)"
                               R"("logprobs":null,"finish_reason":null,"stop_reason":null}]})"),
                  parse(head + R"([{"index":0,"delta":{"content":"Yes"},"logprobs":null,)"
                               R"("finish_reason":"stop","stop_reason":2}]})"),
                  parse(head + R"([],"usage":{"total_tokens":4}})"), value("[DONE]")));
}

TEST(PrefillAnswerTest, ACompletionStreamHasTheChoiceAndTheEnd) {
  const std::string text =
      R"({"id":"c1","object":"text_completion","choices":[{"index":0,"text":"Yes",)"
      R"("logprobs":{"tokens":["Yes"]},"finish_reason":"length","token_ids":[5]}])";
  const http::Response response =
      PrefillAnswer(parse(text + R"(,"usage":{"total_tokens":4}})").as_object(), {.stream = true});
  EXPECT_THAT(Events(response.body), testing::ElementsAre(parse(text + "}"), value("[DONE]")));
}

TEST(PrefillAnswerTest, UsageMayBeInEveryChunk) {
  const http::Response response = PrefillAnswer(
      ChatReply(), {.chat = true, .stream = true, .include_usage = true, .continuous_usage = true});
  const std::vector<value> events = Events(response.body);
  ASSERT_EQ(events.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(events[i].at("usage"), parse(R"({"total_tokens":4})"));
}

}  // namespace
}  // namespace tandem::proxy
