#include "proxy/upstream_form.h"

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

object Json(const char* text) { return parse(text).as_object(); }

const object kReply = Json(
    R"({"id":"cmpl-1","object":"text_completion","created":9,"model":"m",)"
    R"("choices":[{"index":0,"text":"The","finish_reason":"length"}],)"
    R"("usage":{"prompt_tokens":2,"completion_tokens":1},"kv_transfer_params":{"first_tok":5}})");
const object kChatReply =
    Json(R"({"id":"chatcmpl-1","object":"chat.completion","created":9,"model":"m",)"
         R"("choices":[{"index":0,"message":{"role":"assistant","content":"The"}}],)"
         R"("kv_transfer_params":{"first_tok":5}})");

UpstreamForm Completion(const char* request) {
  return UpstreamForm::Make(false, Json(request), kReply).value();
}

std::vector<value> Events(const std::string& stream) {
  std::vector<value> events;
  http::EventParser parser;
  EXPECT_TRUE(
      parser
          .Feed(stream,
                [&events](std::string_view data) { events.push_back(parse(std::string(data))); })
          .ok());
  return events;
}

TEST(UpstreamFormTest, TheDecoderGetsIdsAndOneTokenLess) {
  const UpstreamForm form =
      Completion(R"({"model":"m","prompt":[3,4],"max_tokens":8,"min_tokens":2,"temperature":0})");
  EXPECT_EQ(form.TokenizeBody(), "");
  EXPECT_EQ(parse(form.DecodeBody()), parse(R"({"model":"m","prompt":[3,4,5],"max_tokens":7,)"
                                            R"("min_tokens":1,"temperature":0})"));
}

TEST(UpstreamFormTest, ACompletionWithoutLimitHasSixteenTokens) {
  EXPECT_EQ(parse(Completion(R"({"prompt":[3]})").DecodeBody()).at("max_tokens"), 15);
}

TEST(UpstreamFormTest, AStreamAsksForIds) {
  EXPECT_EQ(
      parse(Completion(R"({"prompt":[3],"stream":true})").DecodeBody()).at("return_token_ids"),
      true);
}

TEST(UpstreamFormTest, ATextIsTokenized) {
  UpstreamForm form = Completion(R"({"model":"m","prompt":"x","add_special_tokens":false})");
  EXPECT_EQ(parse(form.TokenizeBody()),
            parse(R"({"model":"m","prompt":"x","add_special_tokens":false})"));
  for (const char* reply : {"", "[]", "{}", R"({"tokens":[]})", R"({"tokens":["a"]})"}) {
    EXPECT_FALSE(form.SetTokenized(reply)) << reply;
  }
  EXPECT_TRUE(form.SetTokenized(R"({"tokens":[7,8]})"));
  EXPECT_EQ(parse(form.DecodeBody()).at("prompt"), parse("[7,8,5]"));
}

TEST(UpstreamFormTest, AChatBecomesACompletion) {
  auto form = UpstreamForm::Make(
      true,
      Json(R"({"model":"m","messages":[{"role":"user","content":"x"}],"top_p":0.5,)"
           R"("chat_template_kwargs":{"a":1}})"),
      kChatReply);
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(parse(form->TokenizeBody()),
            parse(R"({"model":"m","messages":[{"role":"user","content":"x"}],)"
                  R"("chat_template_kwargs":{"a":1}})"));
  EXPECT_FALSE(form->SetTokenized(R"({"tokens":[7,8]})"));
  EXPECT_FALSE(form->SetTokenized(R"({"tokens":[7,8],"max_model_len":3})"));
  EXPECT_TRUE(form->SetTokenized(R"({"tokens":[7,8],"max_model_len":100})"));
  EXPECT_EQ(parse(form->DecodeBody()),
            parse(R"({"model":"m","top_p":0.5,"prompt":[7,8,5],"max_tokens":97})"));
}

TEST(UpstreamFormTest, SomeRequestsDoNotFit) {
  for (const char* request :
       {R"({"prompt":[3],"logprobs":0})", R"({"prompt":[3],"stop":"x"})",
        R"({"prompt":[3],"logprobs":1})", R"({"prompt":[3],"echo":true})",
        R"({"prompt":[3],"seed":4})", R"({"prompt":[3],"presence_penalty":0.5})",
        R"({"prompt":[3],"tools":[{}]})",
        R"({"prompt":[3],"response_format":{"type":"json_object"}})",
        R"({"prompt":[3],"return_token_ids":true})", R"({"prompt":[3],"max_tokens":1})"}) {
    EXPECT_FALSE(UpstreamForm::Make(false, Json(request), kReply)) << request;
  }
  for (const char* request : {R"({"prompt":[3],"stop":null,"echo":false,"presence_penalty":0})",
                              R"({"prompt":[3],"stop":[],"tools":[],"logprobs":null})"}) {
    EXPECT_TRUE(UpstreamForm::Make(false, Json(request), kReply)) << request;
  }
}

TEST(UpstreamFormTest, SomeFirstTokensDoNotFit) {
  const object request = Json(R"({"prompt":[3]})");
  for (const char* reply :
       {R"({})", R"({"choices":[{"text":"x"}]})",
        R"({"choices":[{"text":""}],"kv_transfer_params":{"first_tok":5}})",
        R"({"choices":[],"kv_transfer_params":{"first_tok":5}})",
        "{\"choices\":[{\"text\":\"\xEF\xBF\xBD\"}],\"kv_transfer_params\":{\"first_tok\":5}}"}) {
    EXPECT_FALSE(UpstreamForm::Make(false, request, Json(reply))) << reply;
  }
}

TEST(UpstreamFormTest, AStreamBeginsWithTheFirstToken) {
  const auto events = Events(Completion(R"({"prompt":[3]})").OpeningEvents());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0], parse(R"({"id":"cmpl-1","created":9,"model":"m","object":"text_completion",)"
                             R"("choices":[{"text":"The","token_ids":[5],"index":0,)"
                             R"("logprobs":null,"finish_reason":null}]})"));
}

TEST(UpstreamFormTest, AChatsStreamBeginsWithItsRole) {
  const auto form = UpstreamForm::Make(true, Json(R"({"messages":[]})"), kChatReply);
  const auto events = Events(form.value().OpeningEvents());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].at("choices").at(0).at("delta"),
            parse(R"({"role":"assistant","content":""})"));
  EXPECT_EQ(events[1].at("choices").at(0).at("delta"), parse(R"({"content":"The"})"));
  EXPECT_EQ(parse(form->Event(R"({"id":"cmpl-x","choices":[{"index":0,"text":" end",)"
                              R"("finish_reason":"stop"}]})")),
            parse(R"({"id":"chatcmpl-1","created":9,"model":"m","object":"chat.completion.chunk",)"
                  R"("choices":[{"index":0,"finish_reason":"stop","delta":{"content":" end"}}]})"));
}

TEST(UpstreamFormTest, UsageCountsTheFirstTokenAsOutput) {
  const UpstreamForm form = Completion(R"({"prompt":[3]})");
  const char* counted = R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7}})";
  const value right = parse(R"({"prompt_tokens":2,"completion_tokens":8})");
  EXPECT_EQ(parse(form.Event(counted)).at("usage"), right);
  EXPECT_EQ(parse(form.WholeReply(counted)).at("usage"), right);
}

TEST(UpstreamFormTest, WhatHasNoChoicesStaysAsItIs) {
  const UpstreamForm form = Completion(R"({"prompt":[3]})");
  for (const char* event : {"[DONE]", R"({"error":{"message":"x"}})", "{cut"}) {
    EXPECT_EQ(form.Event(event), event);
    EXPECT_EQ(form.WholeReply(event), event);
  }
}

}  // namespace
}  // namespace tandem::proxy
