#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "http/message.h"
#include "proxy/decoder_stream.h"
#include "proxy/prefill_decode_plan.h"
#include "proxy/request_scope.h"

namespace tandem::proxy {

/// Passes a request to a decoder and the decoder's reply to the client, streamed or whole. A
/// decoder that fails is replaced by another: at once while nothing has reached the client, and by
/// continuing after the ids it has where the plan allows. Runs in the callbacks of one call after
/// the other.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  /// `hand_off` are the prefiller's parameters, empty without one.
  Relay(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan, boost::json::object hand_off);

  /// Lets a prefiller answer when no decoder can.
  void AllowPrefillers() { may_ask_prefillers_ = true; }
  /// Sets what is compared with the decoder that is chosen.
  void SetPrefiller(int prefiller) { prefiller_ = prefiller; }

  void Start();

 private:
  std::optional<int> NextInstance();
  void Ask(int instance);
  void OnHeaders(int status, const http::Headers& headers);
  void OnBody(std::string_view part);
  void OnEnd(const absl::Status& end);
  void OnFailure(const absl::Status& failure);
  void EndStream();
  void GiveUp(const std::string& reason);

  const std::shared_ptr<RequestScope> scope_;
  const PrefillDecodePlan plan_;
  const boost::json::object hand_off_;
  const TimePoint start_;
  std::optional<int> prefiller_;
  bool may_ask_prefillers_ = false;

  InstancePool* pool_;
  std::set<int> tried_;
  int instance_ = -1;
  bool stream_started_ = false;
  bool first_byte_seen_ = false;
  DecoderStream stream_;

  // Of the current call.
  bool streams_ = false;
  http::Response reply_;
};

}  // namespace tandem::proxy
