#include "api/schema/token_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

boost::json::object Object(std::string_view text) { return boost::json::parse(text).as_object(); }

TEST(TokenizeRequestTest, TakesATextOrAConversation) {
  const auto text = TokenizeRequest::FromJson(Object(R"({"prompt": "a b"})"));
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(std::get<std::string>(text->input), "a b");
  const auto chat =
      TokenizeRequest::FromJson(Object(R"({"messages": [{"role": "user", "content": "x"}]})"));
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(std::get<Conversation>(chat->input).messages.size(), 1u);
  EXPECT_THAT(std::string(TokenizeRequest::FromJson(Object("{}")).status().message()),
              HasSubstr("prompt must be a string, or messages given"));
}

TEST(TokenizeResponseTest, HasVllmsShape) {
  const TokenizeResponse response{.tokens = {1, 2}, .max_model_len = 64, .token_strs = {}};
  EXPECT_EQ(boost::json::serialize(response.ToJson()),
            R"({"count":2,"max_model_len":64,"tokens":[1,2],"token_strs":null})");
}

TEST(DetokenizeRequestTest, NeedsTokens) {
  EXPECT_THAT(DetokenizeRequest::FromJson(Object(R"({"tokens": [5, 6]})"))->tokens,
              ElementsAre(5, 6));
  EXPECT_THAT(std::string(DetokenizeRequest::FromJson(Object("{}")).status().message()),
              HasSubstr("tokens must be a list of token ids"));
}

}  // namespace
}  // namespace tandem::api
