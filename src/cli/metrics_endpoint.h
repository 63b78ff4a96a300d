#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "base/security.h"
#include "http/server.h"

namespace tandem::cli {

/// Serves GET /metrics, in Prometheus' text format, on all addresses of this host until what it
/// returns is destroyed; secured as the options say, and warned about where they leave it open.
/// `metrics` must outlive that. A port of 0 lets the system choose. Errors are for the user.
absl::StatusOr<std::unique_ptr<http::Server>> ServeMetrics(int port,
                                                           const SecurityOptions& security,
                                                           const MetricRegistry& metrics);

}  // namespace tandem::cli
