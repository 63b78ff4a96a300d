#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "api/schema/completion_response.h"

namespace tandem::api {

/// A choice of a whole reply of /v1/chat/completions.
boost::json::object ChatChoice(const std::string& text, const ChoiceDetails& details);

/// A choice of a chunk. `first` adds the role.
boost::json::object ChatChunkChoice(const std::string& text, bool first,
                                    const ChoiceDetails& details);

/// What stands beside a chat's choices. Prompt logprobs and ids belong to the reply here, not to a
/// choice.
struct ChatReplyDetails {
  std::optional<Usage> usage;
  std::optional<KvTransferParams> kv_transfer;
  boost::json::value prompt_logprobs;
  std::optional<std::vector<int32_t>> prompt_token_ids;
};

/// A whole reply, or a chunk (whose `object` is "chat.completion.chunk").
boost::json::object ChatReply(const ReplyHead& head, bool chunk, boost::json::array choices,
                              const ChatReplyDetails& details);

}  // namespace tandem::api
