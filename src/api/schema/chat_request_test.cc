#include "api/schema/chat_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::api {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ChatRequest> Parse(std::string_view text) {
  return ChatRequest::FromJson(boost::json::parse(text).as_object());
}

std::string ErrorOf(std::string_view text) { return std::string(Parse(text).status().message()); }

std::string WithUser(std::string_view fields) {
  return R"({"messages": [{"role": "user", "content": "hi"}], )" + std::string(fields) + "}";
}

TEST(ChatRequestTest, JoinsTextParts) {
  const auto request = Parse(R"({"messages": [{"role": "user", "name": "ann", "content":
      [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(boost::json::serialize(request->conversation.messages),
            R"([{"role":"user","name":"ann","content":"a\nb"}])");
}

TEST(ChatRequestTest, NamesTheMessageThatIsWrong) {
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("messages must be a list of at least one message"));
  EXPECT_THAT(ErrorOf(R"({"messages": []})"), HasSubstr("messages must be a list"));
  EXPECT_THAT(ErrorOf(R"({"messages": [3]})"), HasSubstr("messages[0] must be an object, got 3"));
  EXPECT_THAT(ErrorOf(R"({"messages": [{"content": "x"}]})"),
              HasSubstr("messages[0].role must be"));
  EXPECT_THAT(ErrorOf(R"({"messages": [{"role": "user", "content": 4}]})"),
              HasSubstr("messages[0].content must be a string"));
  EXPECT_THAT(ErrorOf(R"({"messages": [{"role": "user",
                          "content": [{"type": "image_url", "image_url": {}}]}]})"),
              HasSubstr("messages[0].content must be"));
}

TEST(ChatRequestTest, RefusesWhatOpenAiHasAndIsNotHere) {
  EXPECT_THAT(ErrorOf(WithUser(R"("verbosity": "low")")),
              HasSubstr("verbosity is not supported yet, got \"low\""));
}

constexpr char kTool[] = R"("tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(ChatRequestTest, ShowsToolsToTheTemplateIfNoCallIsToBeReadFromTheText) {
  const auto request = Parse(WithUser(std::string(kTool) + R"(, "tool_choice": "none")"));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(boost::json::serialize(request->conversation.tools),
            R"([{"type":"function","function":{"name":"f"}}])");
  EXPECT_THAT(ErrorOf(WithUser(kTool)),
              HasSubstr("tool_choice \"auto\", the default, is not supported yet with tools"));
  EXPECT_THAT(ErrorOf(WithUser(std::string(kTool) + R"(, "tool_choice": "required")")),
              HasSubstr("tool_choice \"required\" is not supported yet with tools"));
  EXPECT_THAT(ErrorOf(WithUser(R"("tools": [{"type": "function"}], "tool_choice": "none")")),
              HasSubstr("tools must be a list of"));
  EXPECT_THAT(ErrorOf(WithUser(R"("tool_choice": "auto")")),
              HasSubstr("only \"none\" is accepted"));
  EXPECT_TRUE(Parse(WithUser(R"("tools": [])")).ok());
}

TEST(ChatRequestTest, TakesCallsAndTheirResults) {
  const auto request = Parse(R"({"messages": [
      {"role": "user", "content": "hi"},
      {"role": "assistant", "content": null,
       "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "result"}]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(boost::json::serialize(request->conversation.messages),
            R"([{"role":"user","content":"hi"},{"role":"assistant","content":"",)"
            R"("tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a":1}}}]},)"
            R"({"role":"tool","tool_call_id":"1","content":"result"}])");
  EXPECT_THAT(ErrorOf(R"({"messages": [{"role": "function", "content": "x"}]})"),
              HasSubstr("messages[0].role \"function\" is not supported"));
}

TEST(ChatRequestTest, TopLogprobsNeedLogprobs) {
  EXPECT_THAT(ErrorOf(WithUser(R"("top_logprobs": 3)")),
              HasSubstr("top_logprobs is accepted only"));
  EXPECT_EQ(Parse(WithUser(R"("logprobs": true, "top_logprobs": 3)"))->generation.logprobs, 3);
  EXPECT_EQ(Parse(WithUser(R"("logprobs": true)"))->generation.logprobs, 0);
  EXPECT_FALSE(Parse(WithUser(R"("logprobs": false)"))->generation.logprobs);
  EXPECT_THAT(ErrorOf(WithUser(R"("logprobs": true, "top_logprobs": -2)")),
              HasSubstr("top_logprobs must be an integer of at least -1"));
}

TEST(ChatRequestTest, ContinuingTheLastMessageNeedsNoGenerationPrompt) {
  const auto request = Parse(WithUser(R"("continue_final_message": true)"));
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->conversation.add_generation_prompt);
  EXPECT_THAT(ErrorOf(WithUser(R"("continue_final_message": true, "add_generation_prompt": true)")),
              HasSubstr("add_generation_prompt must be false"));
}

}  // namespace
}  // namespace tandem::api
