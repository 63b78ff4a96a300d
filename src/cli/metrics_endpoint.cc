#include "cli/metrics_endpoint.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/status.h"
#include "cli/secured_server.h"
#include "http/metrics_response.h"
#include "http/router.h"

namespace tandem::cli {

absl::StatusOr<std::unique_ptr<http::Server>> ServeMetrics(int port,
                                                           const SecurityOptions& security,
                                                           const MetricRegistry& metrics) {
  ASSIGN_OR_RETURN(const Secured secured, Secure(security));
  if (secured.security.token.empty() && !secured.security.files.verify_clients) {
    spdlog::warn(
        "metrics are served on all addresses without a token: whoever reaches this host may read "
        "them; see token_file");
  }
  http::Router router;
  router.Add("GET", "/metrics",
             [&metrics](http::Request, std::shared_ptr<http::ResponseWriter> writer) {
               writer->Respond(http::MetricsResponse(metrics));
             });
  return ServeSecured(
      {.port = port}, secured,
      [router = std::move(router)](auto request, auto writer) {
        router.Dispatch(std::move(request), std::move(writer));
      },
      "metrics-port");
}

}  // namespace tandem::cli
