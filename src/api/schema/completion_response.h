#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/schema/kv_transfer_params.h"
#include "api/schema/usage.h"

namespace tandem::api {

/// What all replies and all chunks of one request have in common.
struct ReplyHead {
  std::string id;
  int64_t created = 0;  ///< Seconds since 1970.
  std::string model;
};

/// What a choice of a reply, or of a chunk, says beside its text.
struct ChoiceDetails {
  int index = 0;
  boost::json::value logprobs;     ///< Null: none were asked for.
  std::string finish_reason;       ///< Empty while there is more to come.
  boost::json::value stop_reason;  ///< The stop string or token id that ended it, or null.
  boost::json::value prompt_logprobs;
  std::optional<std::vector<int32_t>> token_ids;
  std::optional<std::vector<int32_t>> prompt_token_ids;
};

/// A choice of /v1/completions, whole or part of a stream.
boost::json::object CompletionChoice(const std::string& text, const ChoiceDetails& details);

/// A reply or a chunk of /v1/completions: without `usage` and `kv_transfer` where they are absent.
boost::json::object CompletionReply(const ReplyHead& head, boost::json::array choices,
                                    const std::optional<Usage>& usage,
                                    const std::optional<KvTransferParams>& kv_transfer);

}  // namespace tandem::api
