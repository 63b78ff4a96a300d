#include <boost/json/array.hpp>

#include "api/server/reply_format.h"

namespace tandem::api {
namespace {

class Format : public ReplyFormat {
 public:
  std::string id_prefix() const override { return "cmpl-"; }
  bool opens_with_role() const override { return false; }

  boost::json::object Logprobs(const std::vector<PositionLogprobs>& positions,
                               int64_t& text_offset) const override {
    return CompletionLogprobs(positions, text_offset);
  }

  boost::json::object Reply(const ReplyHead& head, const std::vector<ChoicePart>& choices,
                            const Usage& usage,
                            const std::optional<KvTransferParams>& kv_transfer) const override {
    boost::json::array list;
    for (const ChoicePart& choice : choices) {
      list.emplace_back(CompletionChoice(choice.text, choice.details));
    }
    return CompletionReply(head, std::move(list), usage, kv_transfer);
  }

  boost::json::object Chunk(const ReplyHead& head, const ChoicePart& part, bool /*opening*/,
                            const std::optional<Usage>& usage,
                            const std::optional<KvTransferParams>& kv_transfer) const override {
    boost::json::array choices;
    choices.emplace_back(CompletionChoice(part.text, part.details));
    return CompletionReply(head, std::move(choices), usage, kv_transfer);
  }

  boost::json::object UsageChunk(const ReplyHead& head, const Usage& usage) const override {
    return CompletionReply(head, {}, usage, std::nullopt);
  }
};

}  // namespace

const ReplyFormat& CompletionFormat() {
  static const Format format;
  return format;
}

}  // namespace tandem::api
