#include "api/schema/sampling_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

absl::StatusOr<SamplingRequest> Parse(std::string_view text) {
  const boost::json::object object = boost::json::parse(text).as_object();
  FieldReader fields(object);
  SamplingRequest request = ReadSampling(fields, 1);
  if (!fields.status().ok()) return fields.status();
  return request;
}

TEST(SamplingRequestTest, ReadsEveryField) {
  const auto request = Parse(R"({"temperature": 0.5, "top_p": 0.9, "top_k": -1, "min_p": 0.1,
      "repetition_penalty": 1.1, "presence_penalty": -2, "frequency_penalty": 2, "seed": -5,
      "logit_bias": {"7": 200, "8": -1.5}, "max_tokens": 9, "min_tokens": 2, "stop": "x",
      "stop_token_ids": [3], "ignore_eos": true, "include_stop_str_in_output": true,
      "skip_special_tokens": false, "prompt_logprobs": 0, "allowed_token_ids": [4, 5],
      "bad_words": ["a", " b"]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FLOAT_EQ(*request->temperature, 0.5f);
  EXPECT_EQ(request->top_k, -1);
  EXPECT_EQ(request->seed, -5);
  EXPECT_THAT(request->logit_bias, ElementsAre(Pair(7, 100.0f), Pair(8, -1.5f)));
  EXPECT_EQ(request->max_tokens, 9);
  EXPECT_THAT(request->stop, ElementsAre("x"));
  EXPECT_THAT(request->stop_token_ids, ElementsAre(3));
  EXPECT_FALSE(request->skip_special_tokens);
  EXPECT_EQ(request->prompt_logprobs, 0);
  EXPECT_THAT(request->allowed_token_ids, ElementsAre(4, 5));
  EXPECT_THAT(request->bad_words, ElementsAre("a", " b"));
}

TEST(SamplingRequestTest, MinusOneIsNoSeed) {
  EXPECT_FALSE(Parse(R"({"seed": -1})")->seed);
  EXPECT_EQ(Parse(R"({"seed": 0})")->seed, 0);
}

TEST(SamplingRequestTest, MaxCompletionTokensGoesOverMaxTokens) {
  const auto request = Parse(R"({"max_tokens": 9, "max_completion_tokens": 4})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->max_tokens, 4);
}

struct BadField {
  const char* text;
  const char* message;
};

class BadFieldTest : public ::testing::TestWithParam<BadField> {};

TEST_P(BadFieldTest, IsRefusedByName) {
  EXPECT_THAT(std::string(Parse(GetParam().text).status().message()),
              HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Sampling, BadFieldTest,
    ::testing::Values(
        BadField{R"({"temperature": -0.1})",
                 "temperature must be a number of at least 0 and at most 2, got -0.1"},
        BadField{R"({"temperature": 2.1})", "and at most 2, got 2.1"},
        BadField{R"({"top_p": 0})", "top_p must be a number above 0 and at most 1"},
        BadField{R"({"top_k": -2})", "top_k must be an integer of at least -1"},
        BadField{R"({"min_p": 1.5})", "min_p must be a number of at least 0 and at most 1"},
        BadField{R"({"presence_penalty": 3})", "presence_penalty must be a number"},
        BadField{R"({"repetition_penalty": 0})", "repetition_penalty must be a number above 0"},
        BadField{R"({"max_tokens": 0})", "max_tokens must be an integer of at least 1"},
        BadField{R"({"seed": "x"})", "seed must be an integer, got \"x\""},
        BadField{R"({"stop": [""]})", "stop must be a string or a list of at most 4 strings"},
        BadField{R"({"stop": 4})", "stop must be a string or a list of at most 4 strings"},
        BadField{R"({"stop": ["a", "b", "c", "d", "e"]})", "a list of at most 4 strings"},
        BadField{R"({"bad_words": "a"})", "bad_words must be a list of strings"},
        BadField{R"({"bad_words": ["a", ""]})", "bad_words must be a list of strings, none"},
        BadField{R"({"allowed_token_ids": []})",
                 "allowed_token_ids must be a list of at least one token id, got []"},
        BadField{R"({"allowed_token_ids": [-1]})", "allowed_token_ids must be a list of token ids"},
        BadField{R"({"logit_bias": {"a": 1}})", "logit_bias must be an object of token ids"},
        BadField{R"({"prompt_logprobs": -2})", "prompt_logprobs must be an integer of at least -1"},
        BadField{R"({"skip_special_tokens": 1})", "skip_special_tokens must be true or false"}));

}  // namespace
}  // namespace tandem::api
