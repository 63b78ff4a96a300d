#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "api/schema/chat_response.h"
#include "api/schema/completion_response.h"
#include "api/schema/model_list.h"

namespace tandem::api {
namespace {

using boost::json::parse;

const ReplyHead kHead{.id = "x-1", .created = 5, .model = "m"};

TEST(ResponseTest, ACompletionHasOpenAisShape) {
  ChoiceDetails details;
  details.finish_reason = "stop";
  details.stop_reason = "END";
  details.token_ids = {{3, 4}};
  const Usage usage{.prompt_tokens = 7, .completion_tokens = 2, .cached_tokens = 6};
  EXPECT_EQ(boost::json::value(
                CompletionReply(kHead, {CompletionChoice("hi", details)}, usage, std::nullopt)),
            parse(R"({"id": "x-1", "object": "text_completion", "created": 5, "model": "m",
                "choices": [{"index": 0, "text": "hi", "logprobs": null, "finish_reason": "stop",
                             "stop_reason": "END", "token_ids": [3, 4]}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9,
                          "prompt_tokens_details": {"cached_tokens": 6}}})"));
}

TEST(ResponseTest, OnlyTheFirstChunkOfAChatHasTheRole) {
  EXPECT_EQ(boost::json::value(ChatReply(kHead, true, {ChatChunkChoice("", true, {})}, {})),
            parse(R"({"id": "x-1", "object": "chat.completion.chunk", "created": 5, "model": "m",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""},
                             "logprobs": null, "finish_reason": null, "stop_reason": null}]})"));
  EXPECT_FALSE(ChatChunkChoice("a", false, {}).at("delta").as_object().contains("role"));
}

TEST(ResponseTest, AChatCarriesWhatIsHandedOver) {
  ChatReplyDetails details;
  details.kv_transfer.emplace().first_tok = 3;
  const boost::json::object json = ChatReply(kHead, false, {ChatChoice("a", {})}, details);
  EXPECT_EQ(json.at("object"), "chat.completion");
  EXPECT_EQ(json.at("kv_transfer_params"), parse(R"({"first_tok": 3})"));
  EXPECT_EQ(json.at("choices").as_array()[0].at("message"),
            parse(R"({"role": "assistant", "content": "a"})"));
}

TEST(ResponseTest, ListsModels) {
  const boost::json::object json =
      ModelList({{.id = "a", .root = "/r", .created = 1, .max_model_len = 64}});
  EXPECT_EQ(json.at("object"), "list");
  EXPECT_EQ(json.at("data").as_array()[0].at("id"), "a");
  EXPECT_EQ(json.at("data").as_array()[0].at("max_model_len"), 64);
}

}  // namespace
}  // namespace tandem::api
