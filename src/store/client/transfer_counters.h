#pragma once

#include "base/metrics.h"
#include "store/client/store_client.h"

namespace tandem::store {

/// How many bytes went which way, in the process's metrics.
class TransferCounters {
 public:
  explicit TransferCounters(MetricRegistry& metrics);

  prometheus::Counter& mapped_read_bytes;
  prometheus::Counter& remote_read_bytes;
  prometheus::Counter& remote_write_bytes;
  prometheus::Counter& local_write_bytes;
  prometheus::Counter& shared_write_bytes;
  prometheus::Counter& lost_replicas;
  prometheus::Counter& unanswered_reads;
  prometheus::Counter& disk_read_bytes;
  prometheus::Counter& disk_misses;

  StoreClientCounters Read() const;
};

}  // namespace tandem::store
