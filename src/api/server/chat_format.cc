#include <boost/json/array.hpp>

#include "api/schema/chat_response.h"
#include "api/server/reply_format.h"

namespace tandem::api {
namespace {

class Format : public ReplyFormat {
 public:
  std::string id_prefix() const override { return "chatcmpl-"; }
  bool opens_with_role() const override { return true; }

  boost::json::object Logprobs(const std::vector<PositionLogprobs>& positions,
                               int64_t& /*text_offset*/) const override {
    return ChatLogprobs(positions);
  }

  boost::json::object Reply(const ReplyHead& head, const std::vector<ChoicePart>& choices,
                            const Usage& usage,
                            const std::optional<KvTransferParams>& kv_transfer) const override {
    boost::json::array list;
    for (const ChoicePart& choice : choices) {
      list.emplace_back(ChatChoice(choice.text, choice.details));
    }
    return ChatReply(head, /*chunk=*/false, std::move(list),
                     {.usage = usage,
                      .kv_transfer = kv_transfer,
                      .prompt_logprobs = choices.front().details.prompt_logprobs,
                      .prompt_token_ids = choices.front().details.prompt_token_ids});
  }

  boost::json::object Chunk(const ReplyHead& head, const ChoicePart& part, bool opening,
                            const std::optional<Usage>& usage,
                            const std::optional<KvTransferParams>& kv_transfer) const override {
    boost::json::array choices;
    choices.emplace_back(ChatChunkChoice(part.text, opening, part.details));
    return ChatReply(head, /*chunk=*/true, std::move(choices),
                     {.usage = usage,
                      .kv_transfer = kv_transfer,
                      .prompt_logprobs = part.details.prompt_logprobs,
                      .prompt_token_ids = part.details.prompt_token_ids});
  }

  boost::json::object UsageChunk(const ReplyHead& head, const Usage& usage) const override {
    return ChatReply(
        head, /*chunk=*/true, {},
        {.usage = usage, .kv_transfer = {}, .prompt_logprobs = {}, .prompt_token_ids = {}});
  }
};

}  // namespace

const ReplyFormat& ChatFormat() {
  static const Format format;
  return format;
}

}  // namespace tandem::api
