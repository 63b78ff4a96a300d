#include "http/metrics_response.h"

namespace tandem::http {

Response MetricsResponse(const MetricRegistry& registry) {
  return {
      200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, RenderMetrics(registry)};
}

}  // namespace tandem::http
