#include "proxy/namespace_check.h"

#include <gtest/gtest.h>

#include "proxy/proxy_metrics.h"

namespace tandem::proxy {
namespace {

TEST(NamespaceCheckTest, CountsPairsThatDiffer) {
  MetricRegistry registry;
  ProxyMetrics metrics(registry);
  NamespaceCheck check(metrics.namespace_mismatches);
  const InstanceStatus prefiller{.address = "p:1", .cache_namespace = "x"};
  check.Compare(prefiller, {.address = "d:1", .cache_namespace = "x"});
  check.Compare(prefiller, {.address = "d:1", .cache_namespace = ""});
  check.Compare({.address = "p:1"}, {.address = "d:1", .cache_namespace = "y"});
  EXPECT_EQ(metrics.namespace_mismatches.Value(), 0);
  check.Compare(prefiller, {.address = "d:1", .cache_namespace = "y"});
  check.Compare(prefiller, {.address = "d:1", .cache_namespace = "y"});
  EXPECT_EQ(metrics.namespace_mismatches.Value(), 2);
}

}  // namespace
}  // namespace tandem::proxy
