#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tandem::api {

/// The `kv_transfer_params` of requests and replies: how prefill hands over to decode.
///
/// A proxy asks the prefiller with `ret_first_tok`; the reply carries the other fields; the proxy
/// sends them on to the decoder, which takes `first_tok` as already sampled. To continue a stream
/// whose decoder died, the proxy also sends `resume_tokens`: every id the client has, `first_tok`
/// among them.
struct KvTransferParams {
  bool ret_first_tok = false;
  std::optional<int32_t> first_tok;
  std::optional<int> committed_tokens;  ///< Leading prompt tokens whose KV is in the store.
  std::string cache_namespace;          ///< "namespace" on the wire.
  boost::json::value
      first_tok_logprobs;  ///< {token, logprob, rank, top: [[id, logprob]...]}, or null.
  std::string first_tok_finish_reason;  ///< Empty unless the first token ends the request.
  std::vector<int32_t> resume_tokens;
  std::optional<int64_t> stored_bytes;  ///< For reports.

  /// InvalidArgument names the field, the value and what is accepted. Unknown fields are ignored:
  /// other connectors put theirs here.
  static absl::StatusOr<KvTransferParams> FromJson(const boost::json::value& json);
  boost::json::object ToJson() const;
};

}  // namespace tandem::api
