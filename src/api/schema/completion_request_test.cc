#include "api/schema/completion_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::StatusOr<CompletionRequest> Parse(std::string_view text) {
  return CompletionRequest::FromJson(boost::json::parse(text).as_object());
}

std::string ErrorOf(std::string_view text) { return std::string(Parse(text).status().message()); }

TEST(CompletionRequestTest, TakesEveryFormOfPrompt) {
  using Ids = std::vector<int32_t>;
  EXPECT_THAT(Parse(R"({"prompt": "a"})")->prompts, ElementsAre(Prompt("a")));
  EXPECT_THAT(Parse(R"({"prompt": ["a", "b"]})")->prompts, ElementsAre(Prompt("a"), Prompt("b")));
  EXPECT_THAT(Parse(R"({"prompt": [1, 2]})")->prompts, ElementsAre(Prompt(Ids{1, 2})));
  EXPECT_THAT(Parse(R"({"prompt": [[1, 2], [3]]})")->prompts,
              ElementsAre(Prompt(Ids{1, 2}), Prompt(Ids{3})));
}

TEST(CompletionRequestTest, RefusesOtherPrompts) {
  for (const char* prompt : {"{}", R"({"prompt": 3})", R"({"prompt": []})", R"({"prompt": [[]]})",
                             R"({"prompt": [1, "a"]})", R"({"prompt": [-1]})"}) {
    EXPECT_THAT(ErrorOf(prompt), HasSubstr("prompt must be a string, a list of strings")) << prompt;
  }
}

TEST(CompletionRequestTest, EchoAllowsNoNewTokens) {
  EXPECT_TRUE(Parse(R"({"prompt": "a", "echo": true, "max_tokens": 0})").ok());
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "max_tokens": 0})"), HasSubstr("max_tokens"));
}

TEST(CompletionRequestTest, RefusesWhatIsNotSupported) {
  for (const char* field :
       {R"("suffix": "x")", R"("use_beam_search": true)",
        R"("response_format": {"type": "json_object"})", R"("guided_json": {"type": "object"})",
        R"("logits_processors": ["x"])", R"("length_penalty": 2)"}) {
    EXPECT_THAT(ErrorOf(std::string(R"({"prompt": "a", )") + field + "}"),
                HasSubstr("is not supported yet, got"))
        << field;
  }
}

TEST(CompletionRequestTest, AcceptsUnsupportedFieldsThatAskForNothing) {
  EXPECT_TRUE(Parse(R"({"prompt": "a", "suffix": null, "tools": [], "tool_choice": "none",
      "response_format": {"type": "text"}, "best_of": 1, "use_beam_search": false,
      "length_penalty": 1.0})")
                  .ok());
}

TEST(CompletionRequestTest, RemembersUnknownFields) {
  EXPECT_THAT(Parse(R"({"prompt": "a", "colour": "red"})")->generation.ignored_fields,
              ElementsAre("colour"));
  EXPECT_THAT(
      Parse(R"({"prompt": "a", "user": "ann", "metadata": {"a": "b"}})")->generation.ignored_fields,
      IsEmpty());
}

TEST(CompletionRequestTest, StreamOptionsNeedAStream) {
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "stream_options": {"include_usage": true}})"),
              HasSubstr("stream_options is accepted only with \"stream\": true"));
  EXPECT_TRUE(Parse(R"({"prompt": "a", "stream_options": {}})").ok());
  const auto request =
      Parse(R"({"prompt": "a", "stream": true, "stream_options": {"include_usage": true}})");
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(request->generation.include_usage);
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "stream": true, "stream_options": {"include_usage": 1}})"),
              HasSubstr("stream_options.include_usage must be true or false, got 1"));
}

TEST(CompletionRequestTest, AStreamHasNoPromptLogprobs) {
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "stream": true, "prompt_logprobs": 1})"),
              HasSubstr("prompt_logprobs is not available with \"stream\": true, got 1"));
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "stream": true, "prompt_logprobs": -1})"),
              HasSubstr("prompt_logprobs is not available"));
  const auto none = Parse(R"({"prompt": "a", "stream": true, "prompt_logprobs": 0})");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->generation.sampling.prompt_logprobs);
}

TEST(CompletionRequestTest, MinTokensMayExceedAPrefillersSingleToken) {
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "max_tokens": 1, "min_tokens": 4})"),
              HasSubstr("min_tokens must be at most max_tokens, 1, got 4"));
  EXPECT_TRUE(Parse(R"({"prompt": "a", "max_tokens": 1, "min_tokens": 4,
                        "kv_transfer_params": {"ret_first_tok": true}})")
                  .ok());
}

TEST(CompletionRequestTest, BestOfIsNoLessThanN) {
  EXPECT_EQ(Parse(R"({"prompt": "a"})")->generation.best_of, 1);
  EXPECT_EQ(Parse(R"({"prompt": "a", "n": 3})")->generation.best_of, 3);
  EXPECT_EQ(Parse(R"({"prompt": "a", "n": 2, "best_of": 5})")->generation.best_of, 5);
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "n": 3, "best_of": 2})"),
              HasSubstr("best_of must be at least n, 3, got 2"));
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "best_of": 2, "stream": true})"),
              HasSubstr("best_of above n is not available with \"stream\": true"));
  EXPECT_TRUE(Parse(R"({"prompt": "a", "n": 2, "best_of": 2, "stream": true})").ok());
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "n": 16385})"), HasSubstr("at most 16384, got 16385"));
}

TEST(CompletionRequestTest, TakesPriorityAndSalt) {
  const auto request = Parse(R"({"prompt": "a", "priority": -7, "cache_salt": "mine"})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->generation.priority, -7);
  EXPECT_EQ(request->generation.cache_salt, "mine");
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "priority": "high"})"),
              HasSubstr("priority must be an integer, got \"high\""));
  const auto with_salt = [](const std::string& salt) {
    return R"({"prompt": "a", "cache_salt": ")" + salt + "\"}";
  };
  std::string longest;
  for (int i = 0; i < 128; ++i) longest += "é";
  EXPECT_EQ(Parse(with_salt(longest))->generation.cache_salt, longest);
  for (const std::string& salt :
       {std::string(), longest + "e", std::string("a@b"), std::string("a/b"), std::string("a\\\\b"),
        std::string("a\\u0000b")}) {
    EXPECT_THAT(ErrorOf(with_salt(salt)),
                HasSubstr("cache_salt must be a string of 1 to 128 characters, none of them @, /, "
                          "\\ or NUL"))
        << salt;
  }
}

TEST(CompletionRequestTest, TakesNoMoreThan1024Prompts) {
  std::string prompts = "[1]";
  for (int i = 1; i < 1024; ++i) prompts += ",[1]";
  EXPECT_TRUE(Parse(R"({"prompt": [)" + prompts + "]}").ok());
  EXPECT_THAT(ErrorOf(R"({"prompt": [[1],)" + prompts + "]}"), HasSubstr("at most 1024 prompts"));
}

TEST(CompletionRequestTest, AHandOffIsForASingleChoice) {
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "n": 2, "kv_transfer_params": {"first_tok": 3}})"),
              HasSubstr("n must be 1"));
  EXPECT_THAT(ErrorOf(R"({"prompt": "a", "best_of": 2, "kv_transfer_params": {"first_tok": 3}})"),
              HasSubstr("best_of must be 1"));
  EXPECT_THAT(ErrorOf(R"({"prompt": ["a", "b"], "kv_transfer_params": {"first_tok": 3}})"),
              HasSubstr("prompt must be a single prompt"));
}

}  // namespace
}  // namespace tandem::api
