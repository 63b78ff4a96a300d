#include "api/schema/chat_response.h"

#include <boost/json/value_from.hpp>

namespace tandem::api {
namespace {

void AddDetails(const ChoiceDetails& details, boost::json::object& json) {
  json["logprobs"] = details.logprobs;
  json["finish_reason"] = details.finish_reason.empty() ? boost::json::value()
                                                        : boost::json::value(details.finish_reason);
  json["stop_reason"] = details.stop_reason;
  if (details.token_ids) json["token_ids"] = boost::json::value_from(*details.token_ids);
}

}  // namespace

boost::json::object ChatChoice(const std::string& text, const ChoiceDetails& details) {
  boost::json::object json{{"index", details.index},
                           {"message", {{"role", "assistant"}, {"content", text}}}};
  AddDetails(details, json);
  return json;
}

boost::json::object ChatChunkChoice(const std::string& text, bool first,
                                    const ChoiceDetails& details) {
  boost::json::object delta;
  if (first) delta["role"] = "assistant";
  delta["content"] = text;
  boost::json::object json{{"index", details.index}, {"delta", std::move(delta)}};
  AddDetails(details, json);
  return json;
}

boost::json::object ChatReply(const ReplyHead& head, bool chunk, boost::json::array choices,
                              const ChatReplyDetails& details) {
  boost::json::object json{{"id", head.id},
                           {"object", chunk ? "chat.completion.chunk" : "chat.completion"},
                           {"created", head.created},
                           {"model", head.model},
                           {"choices", std::move(choices)}};
  if (details.usage) json["usage"] = details.usage->ToJson();
  if (!details.prompt_logprobs.is_null()) json["prompt_logprobs"] = details.prompt_logprobs;
  if (details.prompt_token_ids) {
    json["prompt_token_ids"] = boost::json::value_from(*details.prompt_token_ids);
  }
  if (details.kv_transfer) json["kv_transfer_params"] = details.kv_transfer->ToJson();
  return json;
}

}  // namespace tandem::api
