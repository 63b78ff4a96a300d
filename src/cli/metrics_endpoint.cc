#include "cli/metrics_endpoint.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/status.h"
#include "base/tls.h"
#include "http/router.h"
#include "http/token_guard.h"

namespace tandem::cli {

absl::StatusOr<std::unique_ptr<http::Server>> ServeMetrics(int port,
                                                           const SecurityOptions& security,
                                                           const MetricRegistry& metrics) {
  ASSIGN_OR_RETURN(const Security loaded, LoadSecurity(security));
  http::ServerOptions options{.port = port};
  if (loaded.tls) {
    ASSIGN_OR_RETURN(options.tls, MakeTlsServerContext(loaded.files));
  }
  http::Router router;
  router.Add(
      "GET", "/metrics", [&metrics](http::Request, std::shared_ptr<http::ResponseWriter> writer) {
        writer->Respond({.status = 200,
                         .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                         .body = RenderMetrics(metrics)});
      });
  auto server = http::Server::Start(
      options,
      http::RequireToken(loaded.token, [router = std::move(router)](auto request, auto writer) {
        router.Dispatch(std::move(request), std::move(writer));
      }));
  if (server.ok()) return server;
  return absl::Status(
      server.status().code(),
      fmt::format("{}; --metrics-port chooses another port, 0 lets the system choose",
                  std::string(server.status().message())));
}

}  // namespace tandem::cli
