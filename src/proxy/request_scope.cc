#include "proxy/request_scope.h"

#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "http/error.h"
#include "http/event_stream.h"
#include "http/request_id.h"

namespace tandem::proxy {
namespace {

/// A reply that begins after this many times the longest silence within one is late.
constexpr int kQueueingFactor = 10;

std::optional<uint64_t> SessionOf(const http::Request& request, const std::string& header) {
  if (header.empty()) return std::nullopt;
  const std::optional<std::string> session = request.headers.Get(header);
  if (!session) return std::nullopt;
  return Checksum64(std::as_bytes(std::span(*session)));
}

}  // namespace

http::Headers EndToEnd(const http::Headers& headers) {
  http::Headers kept = headers;
  for (const char* name :
       {"Connection", "Keep-Alive", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect",
        "Host", "Content-Length", "Accept-Encoding", "Proxy-Connection"}) {
    kept.Remove(name);
  }
  return kept;
}

RequestScope::RequestScope(ProxyContext& proxy, http::Request request,
                           std::shared_ptr<http::ResponseWriter> writer)
    : proxy_(proxy),
      request_(std::move(request)),
      writer_(std::move(writer)),
      id_(request_.headers.Get(http::kRequestIdHeader).value_or("")),
      arrival_(Clock::Real().Now()),
      session_(SessionOf(request_, proxy.options.session_header)) {
  proxy_.metrics.in_flight.Increment();
}

RequestScope::~RequestScope() {
  const double seconds = Seconds(Clock::Real().Now() - arrival_);
  proxy_.metrics.in_flight.Decrement();
  proxy_.metrics.request_seconds.Observe(seconds);
  MutexLock lock(mutex_);
  spdlog::info("{} {} {} {} prefiller={} decoder={} {:.3f} s{}", id_, request_.method,
               request_.path, status_, prefiller_, decoder_, seconds,
               ending_ == Ending::kClientLeft     ? " (the client left)"
               : ending_ == Ending::kProxyStopped ? " (broken off: this proxy stopped)"
                                                  : "");
}

void RequestScope::Ask(InstancePool& pool, int instance, const std::string& target,
                       std::string body, Duration silence, http::StreamCallbacks callbacks) {
  int number = 0;
  {
    MutexLock lock(mutex_);
    if (ending_ != Ending::kNone) return;
    number = ++calls_;
  }
  auto call = proxy_.client.Start({.method = request_.method,
                                   .url = pool.Url(instance, target),
                                   .headers = EndToEnd(request_.headers),
                                   .body = std::move(body),
                                   .idle_timeout = silence,
                                   .first_byte_timeout = kQueueingFactor * silence},
                                  std::move(callbacks));
  pool.Track(instance, call);
  MutexLock lock(mutex_);
  if (ending_ != Ending::kNone) call->Cancel();
  // The call may have ended already, and the next one begun.
  if (number == calls_) call_ = std::move(call);
}

bool RequestScope::End(Ending ending) {
  std::shared_ptr<http::Call> call;
  {
    MutexLock lock(mutex_);
    if (ending_ != Ending::kNone) return false;
    ending_ = ending;
    call = call_;
  }
  if (call != nullptr) call->Cancel();
  return true;
}

void RequestScope::Leave() {
  if (End(Ending::kClientLeft)) proxy_.metrics.disconnects.Increment();
}

void RequestScope::BreakOff() {
  constexpr char kReason[] =
      "this proxy was stopped, and the reply was not complete when the time for requests in flight "
      "(--shutdown-grace) had passed";
  if (!End(Ending::kProxyStopped)) return;
  proxy_.metrics.failed_requests.Increment();
  MutexLock lock(mutex_);
  if (!streams_) {
    http::Response reply = http::ErrorResponse(503, kReason);
    reply.headers.Set(http::kRequestIdHeader, id_);
    if (status_ == 0) status_ = reply.status;
    return writer_->Respond(std::move(reply));
  }
  proxy_.metrics.broken_streams.Increment();
  WriteErrorEvent(*writer_, kReason);
}

bool RequestScope::left() const {
  MutexLock lock(mutex_);
  return ending_ != Ending::kNone;
}

void RequestScope::Respond(http::Response response) {
  response.headers = EndToEnd(response.headers);
  response.headers.Set(http::kRequestIdHeader, id_);
  MutexLock lock(mutex_);
  if (Begin(response.status)) writer_->Respond(std::move(response));
}

void RequestScope::StartStream(int status, const http::Headers& headers) {
  http::Headers kept = EndToEnd(headers);
  kept.Set(http::kRequestIdHeader, id_);
  MutexLock lock(mutex_);
  if (!Begin(status)) return;
  streams_ = true;
  writer_->StartStream(status, std::move(kept));
}

bool RequestScope::Begin(int status) {
  if (ending_ != Ending::kNone) return false;
  status_ = status;
  proxy_.metrics.time_to_first_byte_seconds.Observe(Seconds(Clock::Real().Now() - arrival_));
  return true;
}

void WriteErrorEvent(http::ResponseWriter& writer, const std::string& message) {
  // The empty lines end an event that was cut off.
  writer.Write("\n\n" +
               http::FormatEvent(http::ErrorBody(message, "ServiceUnavailableError", "", 503)) +
               http::FormatEvent("[DONE]"));
  writer.Finish();
}

}  // namespace tandem::proxy
