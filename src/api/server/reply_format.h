#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/schema/completion_response.h"
#include "api/schema/logprobs.h"

namespace tandem::api {

/// A choice, whole or a part of a stream.
struct ChoicePart {
  std::string text;
  ChoiceDetails details;
};

/// How an endpoint puts choices into JSON. Stateless.
class ReplyFormat {
 public:
  virtual ~ReplyFormat() = default;

  /// What a reply's id begins with.
  virtual std::string id_prefix() const = 0;
  /// Whether each choice of a stream is opened by a chunk that tells the role.
  virtual bool opens_with_role() const = 0;

  /// `text_offset` is where the first position's text begins, and is moved to behind the last.
  virtual boost::json::object Logprobs(const std::vector<PositionLogprobs>& positions,
                                       int64_t& text_offset) const = 0;
  /// `kv_transfer` is left out if it is absent.
  virtual boost::json::object Reply(const ReplyHead& head, const std::vector<ChoicePart>& choices,
                                    const Usage& usage,
                                    const std::optional<KvTransferParams>& kv_transfer) const = 0;
  /// A chunk with one choice. `opening`: the chunk that tells the role.
  virtual boost::json::object Chunk(const ReplyHead& head, const ChoicePart& part, bool opening,
                                    const std::optional<Usage>& usage,
                                    const std::optional<KvTransferParams>& kv_transfer) const = 0;
  /// The chunk without choices that tells the usage.
  virtual boost::json::object UsageChunk(const ReplyHead& head, const Usage& usage) const = 0;
};

/// The formats of /v1/completions and /v1/chat/completions.
const ReplyFormat& CompletionFormat();
const ReplyFormat& ChatFormat();

}  // namespace tandem::api
