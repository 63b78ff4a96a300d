#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Metrics, AreRenderedWithLabels) {
  MetricRegistry registry;
  AddCounter(registry, "vllm:request_success_total", "Requests.", {{"finished_reason", "stop"}})
      .Increment(2);
  EXPECT_THAT(RenderMetrics(registry),
              testing::HasSubstr("vllm:request_success_total{finished_reason=\"stop\"} 2"));
}

}  // namespace
}  // namespace tandem
