#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/schema/kv_transfer_params.h"
#include "engine/request.h"

namespace tandem::api {

/// Both ends of the hand-over from prefill to decode. The prefiller answers a request that has
/// `ret_first_tok` after its prompt's KV is committed, with the first token and what was committed;
/// the decoder takes that token as already sampled.

/// Puts what the prefiller, or a proxy that resumes a broken stream, has sent into the request.
/// InvalidArgument names the field: an id outside the model's vocabulary, or resume_tokens that do
/// not begin with first_tok.
absl::Status TakeOver(const KvTransferParams& params, int vocab_size,
                      engine::EngineRequest& request);

/// Collects what the prefiller's reply tells the decoder.
class HandOver {
 public:
  explicit HandOver(std::string cache_namespace) : cache_namespace_(std::move(cache_namespace)) {}

  void Note(const engine::EngineOutput& output);
  KvTransferParams Params() const;

 private:
  const std::string cache_namespace_;
  std::optional<int32_t> first_token_;
  std::optional<engine::TokenLogprobs> first_logprobs_;
  std::string finish_reason_;
  int committed_tokens_ = 0;
  int64_t stored_bytes_ = 0;
};

/// {token, logprob, rank, top: [[id, logprob]...]}
boost::json::object FirstTokenLogprobs(const engine::TokenLogprobs& logprobs);
absl::StatusOr<engine::TokenLogprobs> ParseFirstTokenLogprobs(const boost::json::value& json);

}  // namespace tandem::api
