#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tandem::proxy {

/// How one completion request is served: split into prefill and decode, or whole by a decoder.
/// Built from the request's body alone.
class PrefillDecodePlan {
 public:
  /// A body that is not a JSON object goes whole to a decoder, whose error it then gets.
  explicit PrefillDecodePlan(std::string body);

  /// Any other request: the body goes on as it is.
  static PrefillDecodePlan Whole(std::string body);

  /// Whether a prefiller comes first. More than one choice, prompt logprobs, a batch of prompts and
  /// max_tokens 0 need one instance for the whole request; a client with kv_transfer_params of its
  /// own has had the prefill done, or is to hear from the decoder what is wrong with them.
  bool splits() const { return splits_; }
  /// The request; there if it splits.
  const std::optional<boost::json::object>& body() const { return body_; }
  bool stream() const { return stream_; }
  bool include_usage() const { return include_usage_; }
  bool continuous_usage() const { return continuous_usage_; }
  /// A broken stream can be continued by another decoder, from the ids it had: of one choice as it
  /// is, of several choice by choice.
  bool resumable() const { return stream_ && choices_ > 0; }
  /// Choices that the reply will have, those of every prompt; 0: not told here.
  int choices() const { return choices_; }
  /// Which of them belong to one prompt.
  int choices_of_a_prompt() const { return choices_of_a_prompt_; }
  /// The plan for one choice of several alone. Only if there are several and it is resumable.
  PrefillDecodePlan ForChoice(int choice) const;
  /// Whether the client asked for token ids itself; else they are the proxy's own affair.
  bool client_wants_token_ids() const { return client_wants_token_ids_; }

  /// The body for the prefiller: the same prompt and options, one token, not streamed. Only if it
  /// splits.
  std::string PrefillBody() const;

  /// Whether the prefiller's reply, with these parameters, is all the client asked for.
  bool EndsWithPrefill(const boost::json::object& kv_transfer_params) const;

  /// The body for a decoder. `kv_transfer_params` are those of the prefiller's reply, empty without
  /// one; `resume_tokens` are the ids that the client already has.
  std::string DecodeBody(const boost::json::object& kv_transfer_params,
                         std::span<const int32_t> resume_tokens) const;

 private:
  PrefillDecodePlan() = default;

  std::string raw_;
  std::optional<boost::json::object> body_;
  bool splits_ = false;
  bool stream_ = false;
  bool include_usage_ = false;
  bool continuous_usage_ = false;
  int choices_ = 0;
  int choices_of_a_prompt_ = 1;
  bool client_wants_token_ids_ = false;
  std::optional<int64_t> max_tokens_;
  int64_t min_tokens_ = 0;
};

/// A JSON object that can be written again (see base/json.h), or nothing if `text` is none.
std::optional<boost::json::object> ParseObject(std::string_view text);

/// The `kv_transfer_params` of a prefiller's reply; empty if it has none.
boost::json::object HandOffParams(const boost::json::object& reply);

}  // namespace tandem::proxy
