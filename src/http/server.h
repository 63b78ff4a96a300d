#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/tls.h"
#include "http/response_writer.h"

namespace tandem::http {

struct ServerOptions {
  std::string host = "0.0.0.0";
  int port = 0;  ///< 0 lets the system choose; Server::port() tells.
  int threads = 1;
  size_t max_body_bytes = 64 << 20;                  ///< A longer body is answered with 413.
  Duration idle_timeout = std::chrono::seconds(60);  ///< Between requests, and within reading one.
  TlsContext tls;                                    ///< Of a server; null for plain HTTP.
};

/// An HTTP/1.1 server with keep-alive. Requests of one connection are answered one after the other.
class Server {
 public:
  /// Listens and starts serving. AlreadyExists, naming host and port, if the port is in use;
  /// InvalidArgument for a host that does not resolve or a port outside 0..65535.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       Handler handler);
  virtual ~Server() = default;

  /// The port it listens on.
  virtual int port() const = 0;

  /// Stops listening and waits until `deadline` for the requests in flight; false if there still
  /// are some, which go on.
  virtual bool Drain(TimePoint deadline) = 0;

  /// Stops listening, waits until `deadline` for the requests in flight, then closes every
  /// connection and joins the threads. The destructor does the same without waiting.
  virtual void Stop(TimePoint deadline) = 0;
};

}  // namespace tandem::http
