#include "proxy/request_scope.h"

#include <utility>

#include "base/hash.h"
#include "base/log.h"

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
      id_(request_.headers.Get("X-Request-Id").value_or("")),
      arrival_(Clock::Real().Now()),
      session_(SessionOf(request_, proxy.options.session_header)) {
  proxy_.metrics.in_flight.Increment();
}

RequestScope::~RequestScope() {
  const double seconds = Seconds(Clock::Real().Now() - arrival_);
  proxy_.metrics.in_flight.Decrement();
  proxy_.metrics.request_seconds.Observe(seconds);
  spdlog::info("{} {} {} {} prefiller={} decoder={} {:.3f} s{}", id_, request_.method,
               request_.path, status_, prefiller_, decoder_, seconds,
               left() ? " (the client left)" : "");
}

std::shared_ptr<http::Call> RequestScope::Ask(InstancePool& pool, int instance, std::string body,
                                              Duration silence, http::StreamCallbacks callbacks) {
  int number = 0;
  {
    MutexLock lock(mutex_);
    if (left_) return nullptr;
    number = ++calls_;
  }
  auto call = proxy_.client.Start({.method = request_.method,
                                   .url = pool.Url(instance, request_.target),
                                   .headers = EndToEnd(request_.headers),
                                   .body = std::move(body),
                                   .idle_timeout = silence,
                                   .first_byte_timeout = kQueueingFactor * silence},
                                  std::move(callbacks));
  MutexLock lock(mutex_);
  if (left_) call->Cancel();
  // The call may have ended already, and the next one begun.
  if (number == calls_) call_ = call;
  return call;
}

void RequestScope::Leave() {
  std::shared_ptr<http::Call> call;
  {
    MutexLock lock(mutex_);
    left_ = true;
    call = call_;
  }
  proxy_.metrics.disconnects.Increment();
  if (call != nullptr) call->Cancel();
}

bool RequestScope::left() const {
  MutexLock lock(mutex_);
  return left_;
}

void RequestScope::Respond(http::Response response) {
  NoteFirstByte(response.status);
  response.headers = EndToEnd(response.headers);
  response.headers.Set("X-Request-Id", id_);
  writer_->Respond(std::move(response));
}

void RequestScope::StartStream(int status, const http::Headers& headers) {
  NoteFirstByte(status);
  http::Headers kept = EndToEnd(headers);
  kept.Set("X-Request-Id", id_);
  writer_->StartStream(status, std::move(kept));
}

void RequestScope::NoteFirstByte(int status) {
  status_ = status;
  proxy_.metrics.time_to_first_byte_seconds.Observe(Seconds(Clock::Real().Now() - arrival_));
}

}  // namespace tandem::proxy
