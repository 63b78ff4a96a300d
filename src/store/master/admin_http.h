#pragma once

#include <string>

#include "base/metrics.h"
#include "http/router.h"
#include "store/master/master_metrics.h"
#include "store/master/serving_master.h"

namespace tandem::store {

/// A line that tells how full the pool is.
std::string Summary(const PoolUsage& usage);

/// Adds what operators ask of a master: /metrics, /metrics/summary, /health, /role,
/// /query_key?key=, /batch_query_keys?keys=a,b, /get_all_keys, /get_all_segments and
/// /query_segment?segment=. Looking at a key neither touches nor leases it. While the master stands
/// by, its role says so and what needs an answer from it is 503. The references must outlive the
/// router.
void AddAdminRoutes(http::Router& router, const ServingMaster& serving, MasterMetrics& metrics,
                    const MetricRegistry& registry);

}  // namespace tandem::store
