#include "api/schema/completion_response.h"

#include <boost/json/array.hpp>
#include <boost/json/value_from.hpp>

namespace tandem::api {

boost::json::object CompletionChoice(const std::string& text, const ChoiceDetails& details) {
  boost::json::object json{
      {"index", details.index}, {"text", text}, {"logprobs", details.logprobs}};
  json["finish_reason"] = details.finish_reason.empty() ? boost::json::value()
                                                        : boost::json::value(details.finish_reason);
  json["stop_reason"] = details.stop_reason;
  if (!details.prompt_logprobs.is_null()) json["prompt_logprobs"] = details.prompt_logprobs;
  if (details.prompt_token_ids) {
    json["prompt_token_ids"] = boost::json::value_from(*details.prompt_token_ids);
  }
  if (details.token_ids) json["token_ids"] = boost::json::value_from(*details.token_ids);
  return json;
}

boost::json::object CompletionReply(const ReplyHead& head, boost::json::array choices,
                                    const std::optional<Usage>& usage,
                                    const std::optional<KvTransferParams>& kv_transfer) {
  boost::json::object json{{"id", head.id},
                           {"object", "text_completion"},
                           {"created", head.created},
                           {"model", head.model},
                           {"choices", std::move(choices)}};
  if (usage) json["usage"] = usage->ToJson();
  if (kv_transfer) json["kv_transfer_params"] = kv_transfer->ToJson();
  return json;
}

}  // namespace tandem::api
