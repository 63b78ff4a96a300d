#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "proxy/options.h"

namespace tandem::proxy {

/// The proxy: takes OpenAI's completion and chat requests and has each prefilled by one instance
/// and decoded by another. Everything else that the instances answer is passed to a decoder.
class ProxyServer {
 public:
  /// Listens and starts watching the instances, which need not be up yet. The errors are those of
  /// http::Server::Start. `registry` must outlive the proxy.
  static absl::StatusOr<std::unique_ptr<ProxyServer>> Start(const ProxyOptions& options,
                                                            MetricRegistry& registry);
  virtual ~ProxyServer() = default;

  virtual int port() const = 0;

  /// Accepts no more, waits until `deadline` for the requests in flight, and breaks off the rest:
  /// their clients are told so, which takes at most half a second more.
  virtual void Stop(TimePoint deadline) = 0;
};

}  // namespace tandem::proxy
