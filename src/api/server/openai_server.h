#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "api/server/served_model.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "engine/engine_loop.h"
#include "http/server.h"

namespace tandem::api {

struct OpenAiServerOptions {
  http::ServerOptions http;
  std::vector<std::string> api_keys;  ///< Who has one may call /v1/*; empty: everyone may.
  bool log_requests = true;
  std::string version;  ///< What /version tells.
};

/// The OpenAI API over HTTP: parses and tokenizes on the server's threads, and hands to the engine.
class OpenAiServer {
 public:
  /// Listens and serves. `engine`, `metrics` and `clock` outlive it, and so does what `model`
  /// points to. Errors are http::Server's.
  static absl::StatusOr<std::unique_ptr<OpenAiServer>> Start(const OpenAiServerOptions& options,
                                                             ServedModel model,
                                                             engine::EngineLoop& engine,
                                                             const MetricRegistry& metrics,
                                                             const Clock& clock);
  virtual ~OpenAiServer() = default;

  virtual int port() const = 0;

  /// From now on /health tells that no requests are to be sent here.
  virtual void BeginDrain() = 0;

  /// Stops as http::Server does. The engine must be drained before: requests still in it are
  /// answered through connections that are closed at `deadline`.
  virtual void Stop(TimePoint deadline) = 0;
};

}  // namespace tandem::api
