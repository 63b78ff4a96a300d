#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/tls.h"
#include "http/message.h"

namespace tandem::http {

/// What a client sends. Every time limit is counted from the start of the call, except
/// idle_timeout.
struct ClientRequest {
  std::string method = "GET";
  std::string url;  ///< "http://host:port/path?query", or https
  Headers headers;
  std::string body;
  Duration connect_timeout = std::chrono::seconds(2);
  Duration idle_timeout = std::chrono::seconds(600);  ///< The longest silence of the server.
  /// The longest wait for the reply to begin, if that may be longer than idle_timeout.
  Duration first_byte_timeout = Duration::zero();
  Duration total_timeout = std::chrono::hours(24);
};

/// Receives a reply as it arrives; the functions run on a client thread, one at a time and in this
/// order. `on_end` is called exactly once and last: OK after a complete body, Unavailable if no
/// connection could be made or it broke, DeadlineExceeded, or Cancelled.
struct StreamCallbacks {
  std::function<void(int status, const Headers& headers)> on_headers;
  std::function<void(std::string_view part)> on_body;
  std::function<void(const absl::Status& status)> on_end;
};

/// A call in flight.
class Call {
 public:
  virtual ~Call() = default;
  /// Closes the connection; `on_end` gets Cancelled unless the call has already ended.
  virtual void Cancel() = 0;
  /// When bytes last went out or came in, or the call began.
  virtual TimePoint last_progress() const = 0;
};

/// An HTTP/1.1 client that keeps connections for reuse. Safe for use by several threads. A request
/// on a kept connection that the server had already closed is sent again on a new one.
class Client {
 public:
  /// `threads` run the callbacks. `tls`, of a client, is what calls of https take; without it they
  /// are InvalidArgument.
  static std::unique_ptr<Client> Create(int threads, TlsContext tls = nullptr);
  /// Cancels the calls in flight and joins the threads; every on_end has been called afterwards.
  virtual ~Client() = default;

  virtual std::shared_ptr<Call> Start(ClientRequest request, StreamCallbacks callbacks) = 0;

  /// Waits for the whole reply. Not to be called on a client or server thread.
  absl::StatusOr<Response> Fetch(ClientRequest request);
};

}  // namespace tandem::http
