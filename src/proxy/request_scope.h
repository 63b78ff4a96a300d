#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/client.h"
#include "http/response_writer.h"
#include "proxy/instance_pool.h"
#include "proxy/namespace_check.h"
#include "proxy/options.h"
#include "proxy/proxy_metrics.h"

namespace tandem::proxy {

/// What all requests are served with; outlives them.
struct ProxyContext {
  const ProxyOptions& options;
  http::Client& client;
  InstancePool& prefillers;
  InstancePool& decoders;
  ProxyMetrics& metrics;
  NamespaceCheck& namespaces;
};

/// One request that is being served: what its steps share, the call to an instance that is under
/// way, and the line in the log at its end. Steps run one after the other; the client may leave at
/// any time.
class RequestScope {
 public:
  /// The request must have an X-Request-Id.
  RequestScope(ProxyContext& proxy, http::Request request,
               std::shared_ptr<http::ResponseWriter> writer);
  ~RequestScope();

  ProxyContext& proxy() const { return proxy_; }
  const http::Request& request() const { return request_; }
  /// The request's body, which nothing else of it needs.
  std::string TakeBody() { return std::move(request_.body); }
  const std::string& id() const { return id_; }
  TimePoint arrival() const { return arrival_; }
  std::optional<uint64_t> session() const { return session_; }

  /// Asks `instance` for `target`, with the request's method and headers and another body; an
  /// earlier call must have ended. Nothing happens once the client has left: the callbacks are
  /// dropped.
  void Ask(InstancePool& pool, int instance, const std::string& target, std::string body,
           Duration silence, http::StreamCallbacks callbacks);
  /// The client has left: cancels the call under way and those to come.
  void Leave();
  /// The proxy stops: cancels as Leave does, and tells the client why nothing more comes.
  void BreakOff();
  /// Whether the request is over for either reason.
  bool left() const;

  /// Answers the client; the headers are an instance's and lose what belongs to its connection.
  void Respond(http::Response response);
  void StartStream(int status, const http::Headers& headers);
  http::ResponseWriter& writer() { return *writer_; }

  /// Names of the instances that served it, for the log.
  void NotePrefiller(const std::string& address) { prefiller_ = address; }
  void NoteDecoder(const std::string& address) { decoder_ = address; }

 private:
  enum class Ending { kNone, kClientLeft, kProxyStopped };

  /// Ends the request early unless it has been already; true if it is this call that does.
  bool End(Ending ending);
  /// Whether a reply may begin, with that status.
  bool Begin(int status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ProxyContext& proxy_;
  http::Request request_;
  const std::shared_ptr<http::ResponseWriter> writer_;
  const std::string id_;
  const TimePoint arrival_;
  const std::optional<uint64_t> session_;
  std::string prefiller_ = "-";
  std::string decoder_ = "-";

  mutable Mutex mutex_;
  int status_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the reply, once it has begun.
  bool streams_ ABSL_GUARDED_BY(mutex_) = false;
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<http::Call> call_ ABSL_GUARDED_BY(mutex_);
};

/// Ends a stream that has begun with an error event of code 503.
void WriteErrorEvent(http::ResponseWriter& writer, const std::string& message);

/// `headers` without those that belong to one connection, or that describe a body that is framed
/// anew.
http::Headers EndToEnd(const http::Headers& headers);

}  // namespace tandem::proxy
