#include "proxy/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/error.h"
#include "http/event_stream.h"
#include "proxy/choice_continuation.h"

namespace tandem::proxy {

Relay::Relay(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan,
             boost::json::object hand_off)
    : scope_(std::move(scope)),
      plan_(std::move(plan)),
      hand_off_(std::move(hand_off)),
      start_(Clock::Real().Now()),
      pool_(&scope_->proxy().decoders),
      stream_({.collect_ids = plan_.resumable(),
               .strip_ids = !plan_.client_wants_token_ids(),
               .choices = std::max(plan_.choices(), 1)}) {}

void Relay::ContinueChoice(Continuation continuation) {
  stream_started_ = true;
  stream_.ContinueChoice(std::move(continuation.stream));
  tried_ = std::move(continuation.tried);
  failure_ = std::move(continuation.reason);
  choice_ended_ = std::move(continuation.ended);
}

void Relay::Start() {
  const std::optional<int> instance = NextInstance();
  if (!instance) return GiveUp(failure_.empty() ? pool_->DescribeUnfit() : failure_);
  if (prefiller_) {
    ProxyContext& proxy = scope_->proxy();
    proxy.namespaces.Compare(proxy.prefillers.Status(*prefiller_),
                             proxy.decoders.Status(*instance));
  }
  Ask(*instance);
}

std::optional<int> Relay::NextInstance() {
  // One of another make can go on after the first token at most.
  const bool has_ids = stream_.ids().size() > (upstream_ ? 1 : 0) || !stream_.choices().empty();
  if (has_ids) tried_.merge(pool_->Foreign());
  std::optional<int> next = pool_->Choose(scope_->session(), tried_);
  if (!next) next = pool_->ChooseAny(tried_);
  if (!next && may_ask_prefillers_) {
    may_ask_prefillers_ = false;
    pool_ = &scope_->proxy().prefillers;
    tried_.clear();
    next = pool_->ChooseAny(tried_);
  }
  return next;
}

void Relay::Ask(int instance) {
  instance_ = instance;
  tried_.insert(instance);
  const bool foreign = pool_->Status(instance).make == InstanceMake::kForeign;
  if (foreign && upstream_) return AskInUpstreamForm();
  in_upstream_form_ = false;
  stream_.Translate(nullptr);
  const boost::json::object none;
  Call(scope_->request().target, plan_.DecodeBody(foreign ? none : hand_off_, stream_.ids()));
}

void Relay::AskInUpstreamForm() {
  if (!std::exchange(tokenized_, true) && !upstream_->TokenizeBody().empty()) return Tokenize();
  in_upstream_form_ = true;
  scope_->proxy().metrics.upstream_hand_offs.Increment();
  Call("/v1/completions", upstream_->DecodeBody());
}

void Relay::Tokenize() {
  ProxyContext& proxy = scope_->proxy();
  reply_ = {};
  scope_->Ask(
      proxy.prefillers, *prefiller_, "/tokenize", upstream_->TokenizeBody(),
      proxy.options.idle_timeout,
      {.on_headers = [self = shared_from_this()](
                         int status, const http::Headers&) { self->reply_.status = status; },
       .on_body = [self = shared_from_this()](std::string_view part) { self->reply_.body += part; },
       .on_end = [self =
                      shared_from_this()](const absl::Status& end) { self->OnTokenizeEnd(end); }});
}

void Relay::OnTokenizeEnd(const absl::Status& end) {
  if (scope_->left()) return;
  if (!end.ok() || reply_.status != 200 || !upstream_->SetTokenized(reply_.body)) {
    spdlog::warn("{} goes whole to {} {}: prefiller {} does not tokenize its prompt: {}",
                 scope_->id(), pool_->role(), pool_->address(instance_),
                 scope_->proxy().prefillers.address(*prefiller_),
                 end.ok() ? fmt::format("it answers {}", reply_.status) : end.ToString());
    upstream_.reset();
  }
  Ask(instance_);
}

void Relay::Call(const std::string& target, std::string body) {
  streams_ = false;
  reply_ = {};
  scope_->NoteDecoder(pool_->address(instance_));
  scope_->Ask(
      *pool_, instance_, target, std::move(body), scope_->proxy().options.idle_timeout,
      {.on_headers = [self = shared_from_this()](
                         int status,
                         const http::Headers& headers) { self->OnHeaders(status, headers); },
       .on_body = [self = shared_from_this()](std::string_view part) { self->OnBody(part); },
       .on_end = [self = shared_from_this()](const absl::Status& end) { self->OnEnd(end); }});
}

void Relay::OnHeaders(int status, const http::Headers& headers) {
  reply_.status = status;
  reply_.headers = headers;
  streams_ =
      status == 200 && headers.Get("Content-Type").value_or("").starts_with("text/event-stream");
  if (!streams_) return;
  const bool opens = !std::exchange(stream_started_, true);
  if (opens) scope_->StartStream(status, headers);
  if (!in_upstream_form_) return;
  // The decoder has taken the request: the first token need not wait for its own.
  if (stream_.ids().empty()) scope_->writer().Write(stream_.Relay(upstream_->OpeningEvents()));
  stream_.Translate([this](std::string_view data) { return upstream_->Event(data); });
}

void Relay::OnBody(std::string_view part) {
  if (!std::exchange(first_byte_seen_, true) && prefiller_) {
    scope_->proxy().metrics.hand_off_seconds.Observe(Seconds(Clock::Real().Now() - start_));
  }
  if (streams_) {
    scope_->writer().Write(stream_.Relay(part));
  } else {
    reply_.body += part;
  }
}

void Relay::OnEnd(const absl::Status& end) {
  if (scope_->left()) return;
  const std::string& address = pool_->address(instance_);
  if (stream_started_ && stream_.done()) return FinishStream();
  if (!end.ok()) {
    if (absl::IsUnavailable(end)) pool_->MarkDown(instance_, std::string(end.message()));
    return OnFailure(absl::IsCancelled(end) ? fmt::format("{} stands still", address)
                                            : std::string(end.message()));
  }
  if (!stream_started_) return OnWholeReply();
  // It lives and answers: whether it is up is not for this to say.
  if (!streams_) {
    return OnFailure(fmt::format("{} answers {} instead of continuing the stream: {}", address,
                                 reply_.status, reply_.body));
  }
  OnFailure(stream_.refusal().empty() ? fmt::format("{} ended its stream early", address)
                                      : fmt::format("{}: {}", address, stream_.refusal()));
}

void Relay::OnWholeReply() {
  // One that drains refuses what another one takes; if there is none, its word is the answer.
  if (reply_.status == 503) {
    if (const auto next = pool_->Choose(scope_->session(), tried_)) {
      return GoOnAt(*next, fmt::format("{} answers 503", pool_->address(instance_)));
    }
  }
  if (in_upstream_form_ && reply_.status == 200) reply_.body = upstream_->WholeReply(reply_.body);
  scope_->Respond(std::move(reply_));
}

void Relay::OnFailure(const std::string& reason) {
  // Only the end of the stream is missing, and usage, which nobody else knows.
  if (stream_started_ && stream_.finished()) return EndStream();
  if (stream_started_ && !stream_.continuable()) {
    return EndWithError(fmt::format(
        "the stream broke and no other {} can continue it, because {}: {}", pool_->role(),
        plan_.resumable() ? "the ids of some of its tokens are not known"
                          : "it has too many choices or no form that is known here",
        reason));
  }
  const std::optional<int> next = NextInstance();
  if (!next) return GiveUp(reason);
  if (stream_started_ && plan_.choices() > 1) return ContinueChoices(reason);
  GoOnAt(*next, reason);
}

void Relay::ContinueChoices(const std::string& reason) {
  ProxyMetrics& metrics = scope_->proxy().metrics;
  metrics.decoder_failovers.Increment();
  metrics.resumed_streams.Increment();
  spdlog::warn("{}: {} choices go on one by one at another {}: {}", scope_->id(), plan_.choices(),
               pool_->role(), reason);
  std::make_shared<ChoiceContinuation>(scope_, plan_, stream_, tried_, reason)->Start();
}

void Relay::GoOnAt(int instance, const std::string& reason) {
  ProxyMetrics& metrics = scope_->proxy().metrics;
  metrics.decoder_failovers.Increment();
  if (stream_started_) {
    metrics.resumed_streams.Increment();
    stream_.Continue();
  }
  spdlog::warn("{} goes on at {} {} after {} tokens: {}", scope_->id(), pool_->role(),
               pool_->address(instance), stream_.ids().size(), reason);
  Ask(instance);
}

void Relay::EndStream() {
  if (!choice_ended_) scope_->writer().Write(http::FormatEvent("[DONE]"));
  FinishStream();
}

void Relay::FinishStream() {
  if (choice_ended_) return std::exchange(choice_ended_, nullptr)(stream_);
  scope_->writer().Finish();
}

void Relay::GiveUp(const std::string& reason) {
  EndWithError(
      fmt::format("no {0} can serve the request: {1} (--{0}-host and --{0}-port name the {0}s)",
                  pool_->role(), reason));
}

void Relay::EndWithError(const std::string& message) {
  ProxyMetrics& metrics = scope_->proxy().metrics;
  metrics.failed_requests.Increment();
  spdlog::warn("{}: {}", scope_->id(), message);
  if (!stream_started_) return scope_->Respond(http::ErrorResponse(503, message));
  metrics.broken_streams.Increment();
  WriteErrorEvent(scope_->writer(), message);
}

}  // namespace tandem::proxy
