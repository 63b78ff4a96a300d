#pragma once

#include "base/metrics.h"
#include "http/message.h"

namespace tandem::http {

/// What GET /metrics answers: every metric in Prometheus' text format.
Response MetricsResponse(const MetricRegistry& registry);

}  // namespace tandem::http
