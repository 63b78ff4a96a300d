#pragma once

#include <memory>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "http/message.h"
#include "proxy/prefill_decode_plan.h"
#include "proxy/request_scope.h"
#include "proxy/upstream_form.h"

namespace tandem::proxy {

/// Serves one request for a completion or a chat: prefill at one instance, then decode at another.
/// What goes wrong with the prefill costs time only, as the decoder can do the whole request.
class CompletionRequest : public std::enable_shared_from_this<CompletionRequest> {
 public:
  explicit CompletionRequest(std::shared_ptr<RequestScope> scope);

  void Start();

 private:
  void Prefill(int prefiller);
  void OnPrefillEnd(const absl::Status& end);
  bool MayBeUnfit() const;
  bool is_chat() const;
  /// Whether the prefiller's reply is the client's.
  bool AnswerWithPrefill();
  void Decode();

  const std::shared_ptr<RequestScope> scope_;
  PrefillDecodePlan plan_;
  int prefiller_ = -1;
  std::set<int> tried_;
  TimePoint prefill_start_;
  http::Response reply_;
  boost::json::object hand_off_;
  std::optional<UpstreamForm> upstream_;
};

}  // namespace tandem::proxy
