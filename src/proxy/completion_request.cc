#include "proxy/completion_request.h"

#include <utility>

#include "api/schema/kv_transfer_params.h"
#include "base/log.h"
#include "proxy/prefill_answer.h"
#include "proxy/relay.h"

namespace tandem::proxy {
namespace {

/// Whether a prefiller's error tells what is wrong with the request, not with the prefiller: a
/// decoder would say the same.
bool BlamesRequest(int status) {
  return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

/// Whether another prefiller may do what this one did not: it is gone, stands still, or drains.
bool IsWorthAnother(const absl::Status& end, int status) {
  return absl::IsUnavailable(end) || absl::IsCancelled(end) || (end.ok() && status == 503);
}

/// Whether a prefiller that does not tell first_tok_finish_reason ended its one token with a stop.
bool StoppedEarly(const boost::json::object& reply) {
  boost::json::error_code error;
  const boost::json::value whole(reply);
  const boost::json::value* reason = whole.find_pointer("/choices/0/finish_reason", error);
  return reason != nullptr && *reason == "stop";
}

}  // namespace

CompletionRequest::CompletionRequest(std::shared_ptr<RequestScope> scope)
    : scope_(std::move(scope)), plan_(scope_->TakeBody()) {}

void CompletionRequest::Start() {
  ProxyContext& proxy = scope_->proxy();
  proxy.metrics.requests.Increment();
  if (!plan_.splits()) {
    proxy.metrics.whole_to_decoder.Increment();
    return Decode();
  }
  const std::optional<int> prefiller = proxy.prefillers.Choose(scope_->session(), tried_);
  if (prefiller) return Prefill(*prefiller);
  proxy.metrics.prefills_skipped.Increment();
  spdlog::warn("{} goes whole to a decoder: no prefiller is up", scope_->id());
  Decode();
}

void CompletionRequest::Prefill(int prefiller) {
  ProxyContext& proxy = scope_->proxy();
  prefiller_ = prefiller;
  tried_.insert(prefiller);
  prefill_start_ = Clock::Real().Now();
  reply_ = {};
  proxy.metrics.prefills.Increment();
  scope_->NotePrefiller(proxy.prefillers.address(prefiller));
  scope_->Ask(proxy.prefillers, prefiller, scope_->request().target, plan_.PrefillBody(),
              proxy.options.idle_timeout,
              {.on_headers =
                   [self = shared_from_this()](int status, const http::Headers& headers) {
                     self->reply_.status = status;
                     self->reply_.headers = headers;
                   },
               .on_body = [self = shared_from_this()](
                              std::string_view part) { self->reply_.body.append(part); },
               .on_end = [self = shared_from_this()](
                             const absl::Status& end) { self->OnPrefillEnd(end); }});
}

void CompletionRequest::OnPrefillEnd(const absl::Status& end) {
  if (scope_->left()) return;
  ProxyContext& proxy = scope_->proxy();
  if (end.ok() && reply_.status == 200) {
    proxy.metrics.prefill_seconds.Observe(Seconds(Clock::Real().Now() - prefill_start_));
    if (!AnswerWithPrefill()) Decode();
    return;
  }
  if (end.ok() && BlamesRequest(reply_.status) && !MayBeUnfit()) {
    return scope_->Respond(std::move(reply_));
  }

  proxy.metrics.prefill_failures.Increment();
  const std::string reason =
      end.ok() ? "it answers " + std::to_string(reply_.status) : std::string(end.message());
  spdlog::warn("{} prefiller {} failed: {}", scope_->id(), proxy.prefillers.address(prefiller_),
               reason);
  if (absl::IsUnavailable(end)) proxy.prefillers.MarkDown(prefiller_, reason);
  if (IsWorthAnother(end, reply_.status)) {
    if (const auto next = proxy.prefillers.Choose(scope_->session(), tried_)) return Prefill(*next);
  }
  spdlog::warn("{} goes whole to a decoder", scope_->id());
  Decode();
}

// Something else than an instance knows no completions. A decoder says so as well if it is the
// model that is not there.
bool CompletionRequest::MayBeUnfit() const {
  const InstanceMake make = scope_->proxy().prefillers.Status(prefiller_).make;
  const bool recognized = make == InstanceMake::kTandem || make == InstanceMake::kForeign;
  return !recognized && (reply_.status == 404 || reply_.status == 405);
}

bool CompletionRequest::is_chat() const {
  return scope_->request().path.ends_with("/chat/completions");
}

bool CompletionRequest::AnswerWithPrefill() {
  std::optional<boost::json::object> reply = ParseObject(reply_.body);
  if (!reply) return false;
  ProxyContext& proxy = scope_->proxy();
  hand_off_ = HandOffParams(*reply);
  const auto params = api::KvTransferParams::FromJson(hand_off_);
  if (!params.ok()) {
    spdlog::warn("{} prefiller {} hands over what is not understood: {}", scope_->id(),
                 proxy.prefillers.address(prefiller_), std::string(params.status().message()));
    hand_off_.clear();
    return false;
  }
  proxy.metrics.stored_bytes.Increment(static_cast<double>(params->stored_bytes.value_or(0)));
  if (!params->cache_namespace.empty()) {
    proxy.prefillers.SetNamespace(prefiller_, params->cache_namespace);
  }
  if (proxy.prefillers.Status(prefiller_).make == InstanceMake::kForeign && StoppedEarly(*reply)) {
    hand_off_["first_tok_finish_reason"] = "stop";
  }
  if (!plan_.EndsWithPrefill(hand_off_)) {
    if (!proxy.decoders.Foreign().empty()) {
      upstream_ = UpstreamForm::Make(is_chat(), *plan_.body(), *reply);
    }
    return false;
  }
  proxy.metrics.prefill_answers.Increment();
  scope_->Respond(PrefillAnswer(*std::move(reply), {.chat = is_chat(),
                                                    .stream = plan_.stream(),
                                                    .include_usage = plan_.include_usage(),
                                                    .continuous_usage = plan_.continuous_usage()}));
  return true;
}

void CompletionRequest::Decode() {
  const bool handed_over = !hand_off_.empty();
  const auto relay = std::make_shared<Relay>(scope_, std::move(plan_), std::move(hand_off_));
  if (handed_over) relay->SetPrefiller(prefiller_, std::move(upstream_));
  relay->Start();
}

}  // namespace tandem::proxy
