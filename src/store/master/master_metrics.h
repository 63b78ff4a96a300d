#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/metrics.h"

namespace tandem::store {

/// What the pool holds at one moment.
struct PoolUsage {
  uint64_t allocated_bytes = 0;
  uint64_t capacity_bytes = 0;
  size_t keys = 0;
  size_t soft_pinned_keys = 0;
  size_t active_clients = 0;
  size_t segments = 0;
  double fragmentation = 0;  ///< See SegmentTable::fragmentation.
  size_t disk_keys = 0;      ///< Copies of objects on owners' disks.
  uint64_t disk_bytes = 0;
};

/// The master's metrics under Mooncake's names. Safe for use by several threads.
class MasterMetrics {
 public:
  /// `registry` must outlive this.
  explicit MasterMetrics(MetricRegistry& registry);

  /// Counts a call, as master_<rpc>_requests_total, and a failed one of any of its keys too.
  /// `rpc`: one of the names in master_metrics.cc.
  void CountCall(const std::string& rpc, bool failed);

  /// Brings the gauges up to date; call it before the registry is rendered.
  void Show(const PoolUsage& usage);

  prometheus::Histogram& value_size;
  prometheus::Counter& evicted_keys;
  prometheus::Counter& evicted_bytes;
  prometheus::Counter& attempted_evictions;
  prometheus::Counter& successful_evictions;
  prometheus::Counter& allocation_failures;
  prometheus::Counter& lost_replicas;
  prometheus::Counter& offloaded_keys;
  prometheus::Counter& offloaded_bytes;
  prometheus::Counter& offload_failed_keys;
  prometheus::Counter& evicted_unstored_keys;
  prometheus::Counter& disk_dropped_keys;
  prometheus::Counter& lost_on_disk;

 private:
  struct Call {
    prometheus::Counter* requests;
    prometheus::Counter* failures;
  };

  prometheus::Gauge& allocated_;
  prometheus::Gauge& capacity_;
  prometheus::Gauge& keys_;
  prometheus::Gauge& disk_keys_;
  prometheus::Gauge& disk_bytes_;
  prometheus::Gauge& soft_pinned_keys_;
  prometheus::Gauge& active_clients_;
  prometheus::Gauge& segments_;
  prometheus::Gauge& fragmentation_;
  absl::flat_hash_map<std::string, Call> calls_;
};

}  // namespace tandem::store
