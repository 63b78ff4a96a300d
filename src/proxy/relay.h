#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "http/message.h"
#include "proxy/decoder_stream.h"
#include "proxy/prefill_decode_plan.h"
#include "proxy/request_scope.h"
#include "proxy/upstream_form.h"

namespace tandem::proxy {

/// Passes a request to a decoder and the decoder's reply to the client, streamed or whole. A
/// decoder that fails, stands still or drains is replaced by another: at once while nothing has
/// reached the client, and by continuing after the ids it has where the plan allows. Runs in the
/// callbacks of one call after the other.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  /// `hand_off` are the prefiller's parameters, empty without one.
  Relay(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan, boost::json::object hand_off);

  /// Lets a prefiller answer when no decoder can.
  void AllowPrefillers() { may_ask_prefillers_ = true; }
  /// Sets who did the prefill, and how a decoder of another make goes on after it: without `form`
  /// such a one gets the request as it is.
  void SetPrefiller(int prefiller, std::optional<UpstreamForm> form) {
    prefiller_ = prefiller;
    upstream_ = std::move(form);
  }

  /// Has the relay go on with one choice, within the client's stream that others began.
  struct Continuation {
    ContinuedChoice stream;
    std::set<int> tried;  ///< Decoders not to be asked.
    std::string reason;   ///< Why the choice needs another decoder.
    std::function<void(const DecoderStream& stream)> ended;  ///< Not called after an error.
  };
  void ContinueChoice(Continuation continuation);

  void Start();

 private:
  std::optional<int> NextInstance();
  void Ask(int instance);
  void Call(const std::string& target, std::string body);
  void AskInUpstreamForm();
  /// Has the prefiller tokenize the prompt, then asks the decoder.
  void Tokenize();
  void OnTokenizeEnd(const absl::Status& end);
  void OnHeaders(int status, const http::Headers& headers);
  void OnBody(std::string_view part);
  void OnEnd(const absl::Status& end);
  void OnWholeReply();
  void OnFailure(const std::string& reason);
  void GoOnAt(int instance, const std::string& reason);
  void ContinueChoices(const std::string& reason);
  void EndStream();
  void FinishStream();
  void GiveUp(const std::string& reason);
  void EndWithError(const std::string& message);

  const std::shared_ptr<RequestScope> scope_;
  const PrefillDecodePlan plan_;
  const boost::json::object hand_off_;
  const TimePoint start_;
  std::optional<int> prefiller_;
  std::optional<UpstreamForm> upstream_;
  bool tokenized_ = false;
  bool may_ask_prefillers_ = false;

  InstancePool* pool_;
  std::set<int> tried_;
  int instance_ = -1;
  bool stream_started_ = false;
  bool first_byte_seen_ = false;
  DecoderStream stream_;
  std::string failure_;  // That this relay begins with.
  std::function<void(const DecoderStream&)> choice_ended_;

  // Of the current call.
  bool in_upstream_form_ = false;
  bool streams_ = false;
  http::Response reply_;
};

}  // namespace tandem::proxy
