#include "proxy/relay.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "http/error.h"
#include "http/event_stream.h"

namespace tandem::proxy {

Relay::Relay(std::shared_ptr<RequestScope> scope, PrefillDecodePlan plan,
             boost::json::object hand_off)
    : scope_(std::move(scope)),
      plan_(std::move(plan)),
      hand_off_(std::move(hand_off)),
      start_(Clock::Real().Now()),
      pool_(&scope_->proxy().decoders),
      stream_({.collect_ids = plan_.resumable(), .strip_ids = !plan_.client_wants_token_ids()}) {}

void Relay::Start() {
  const std::optional<int> instance = NextInstance();
  if (!instance) return GiveUp(fmt::format("no {} is known", pool_->role()));
  if (prefiller_) {
    ProxyContext& proxy = scope_->proxy();
    proxy.namespaces.Compare(proxy.prefillers.Status(*prefiller_),
                             proxy.decoders.Status(*instance));
  }
  Ask(*instance);
}

std::optional<int> Relay::NextInstance() {
  if (!stream_.ids().empty()) tried_.merge(pool_->Foreign());
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
  streams_ = false;
  reply_ = {};
  scope_->NoteDecoder(pool_->address(instance));
  scope_->Ask(
      *pool_, instance, plan_.DecodeBody(hand_off_, stream_.ids()),
      scope_->proxy().options.idle_timeout,
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
  if (!streams_ || stream_started_) return;
  stream_started_ = true;
  scope_->StartStream(status, headers);
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
  if (stream_started_ && stream_.done()) return scope_->writer().Finish();
  if (!end.ok()) return OnFailure(end);
  if (!stream_started_) return scope_->Respond(std::move(reply_));
  OnFailure(absl::UnavailableError(
      streams_ ? fmt::format("{} ended its stream early", pool_->address(instance_))
               : fmt::format("{} answers {} instead of continuing the stream",
                             pool_->address(instance_), reply_.status)));
}

void Relay::OnFailure(const absl::Status& failure) {
  spdlog::warn("{} {} failed: {}", scope_->id(), pool_->role(), failure.ToString());
  if (absl::IsUnavailable(failure)) {
    pool_->MarkDown(instance_, std::string(failure.message()));
  }
  // Only the end of the stream is missing, and usage, which nobody else knows.
  if (stream_started_ && stream_.finished()) return EndStream();
  const std::string reason(failure.message());
  if (stream_started_ && !stream_.continuable()) return GiveUp(reason);
  const std::optional<int> next = NextInstance();
  if (!next) return GiveUp(reason);

  ProxyMetrics& metrics = scope_->proxy().metrics;
  metrics.decoder_failovers.Increment();
  if (stream_started_) {
    metrics.resumed_streams.Increment();
    stream_.Continue();
  }
  spdlog::warn("{} goes on at {} after {} tokens", scope_->id(), pool_->address(*next),
               stream_.ids().size());
  Ask(*next);
}

void Relay::EndStream() {
  scope_->writer().Write(http::FormatEvent("[DONE]"));
  scope_->writer().Finish();
}

void Relay::GiveUp(const std::string& reason) {
  ProxyMetrics& metrics = scope_->proxy().metrics;
  metrics.failed_requests.Increment();
  const std::string message = fmt::format("no {} can serve the request: {}", pool_->role(), reason);
  if (!stream_started_) return scope_->Respond(http::ErrorResponse(503, message));
  metrics.broken_streams.Increment();
  // The empty lines end an event that was cut off.
  scope_->writer().Write(
      "\n\n" + http::FormatEvent(http::ErrorBody(message, "ServiceUnavailableError", "", 503)));
  EndStream();
}

}  // namespace tandem::proxy
