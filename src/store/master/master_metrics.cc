#include "store/master/master_metrics.h"

#include <fmt/format.h>

namespace tandem::store {
namespace {

constexpr const char* kCalls[] = {
    "mount_segment", "unmount_segment", "ping",       "register_objects", "offload",
    "put_start",     "put_end",         "put_revoke", "get_replica_list", "exist_key",
    "remove",        "remove_by_regex", "remove_all", "confirm_removals", "report_lost_replicas",
    "list_keys",     "list_segments",
};

const prometheus::Histogram::BucketBoundaries kValueSizes = {4096,     65536,    1 << 20,  4 << 20,
                                                             16 << 20, 64 << 20, 256 << 20};

}  // namespace

MasterMetrics::MasterMetrics(MetricRegistry& registry)
    : value_size(AddHistogram(registry, "master_value_size_bytes", "Sizes of stored objects",
                              kValueSizes)),
      evicted_keys(AddCounter(registry, "master_evicted_key_count", "Objects evicted")),
      evicted_bytes(AddCounter(registry, "master_evicted_size_bytes", "Bytes evicted")),
      attempted_evictions(
          AddCounter(registry, "master_attempted_evictions_total", "Evictions started")),
      successful_evictions(AddCounter(registry, "master_successful_evictions_total",
                                      "Evictions that freed something")),
      allocation_failures(AddCounter(registry, "master_put_start_alloc_failures_total",
                                     "Objects for which there was no space")),
      lost_replicas(AddCounter(registry, "master_lost_replicas_total",
                               "Replicas removed because a reader could not read them")),
      offloaded_keys(AddCounter(registry, "master_offloaded_key_count",
                                "Objects that were written to their owners' disks")),
      offloaded_bytes(AddCounter(registry, "master_offloaded_size_bytes",
                                 "Bytes that were written to owners' disks")),
      offload_failed_keys(
          AddCounter(registry, "master_offload_failed_key_count",
                     "Objects that an owner was asked to store on disk and did not")),
      evicted_unstored_keys(AddCounter(registry, "master_evicted_unstored_key_count",
                                       "Objects evicted, with offload, that no disk had")),
      disk_dropped_keys(AddCounter(registry, "master_disk_dropped_key_count",
                                   "Copies on disk that had to go for others")),
      lost_on_disk(AddCounter(registry, "master_disk_lost_replicas_total",
                              "Copies on disk removed because a reader could not read them")),
      allocated_(AddGauge(registry, "master_allocated_bytes", "Bytes of the pool in use")),
      capacity_(AddGauge(registry, "master_total_capacity_bytes", "Bytes of the pool")),
      keys_(AddGauge(registry, "master_key_count", "Complete objects")),
      disk_keys_(AddGauge(registry, "master_disk_key_count", "Copies of objects on disk")),
      disk_bytes_(AddGauge(registry, "master_disk_allocated_bytes", "Bytes of objects on disk")),
      soft_pinned_keys_(
          AddGauge(registry, "master_soft_pin_key_count", "Complete objects with a soft pin")),
      active_clients_(AddGauge(registry, "master_active_clients", "Clients heard of lately")),
      segments_(AddGauge(registry, "master_segment_count", "Segments mounted")),
      fragmentation_(AddGauge(registry, "master_fragmentation_ratio",
                              "Share of the free bytes outside the largest free ranges")) {
  for (const char* call : kCalls) {
    calls_[call] = {&AddCounter(registry, fmt::format("master_{}_requests_total", call), "Calls"),
                    &AddCounter(registry, fmt::format("master_{}_failures_total", call),
                                "Calls of which a key failed")};
  }
}

void MasterMetrics::CountCall(const std::string& rpc, bool failed) {
  const Call& call = calls_.at(rpc);
  call.requests->Increment();
  if (failed) call.failures->Increment();
}

void MasterMetrics::Show(const PoolUsage& usage) {
  allocated_.Set(double(usage.allocated_bytes));
  capacity_.Set(double(usage.capacity_bytes));
  keys_.Set(double(usage.keys));
  disk_keys_.Set(double(usage.disk_keys));
  disk_bytes_.Set(double(usage.disk_bytes));
  soft_pinned_keys_.Set(double(usage.soft_pinned_keys));
  active_clients_.Set(double(usage.active_clients));
  segments_.Set(double(usage.segments));
  fragmentation_.Set(usage.fragmentation);
}

}  // namespace tandem::store
