#include "store/client/transfer_counters.h"

namespace tandem::store {

TransferCounters::TransferCounters(MetricRegistry& metrics)
    : mapped_read_bytes(AddCounter(metrics, "tandem:store_mapped_read_bytes_total",
                                   "Bytes read from segments of this host.")),
      remote_read_bytes(AddCounter(metrics, "tandem:store_remote_read_bytes_total",
                                   "Bytes received from segments of other hosts.")),
      remote_write_bytes(AddCounter(metrics, "tandem:store_remote_write_bytes_total",
                                    "Bytes sent to segments of other processes.")),
      local_write_bytes(AddCounter(metrics, "tandem:store_local_write_bytes_total",
                                   "Bytes written to this process's own segment.")),
      shared_write_bytes(AddCounter(metrics, "tandem:store_shared_write_bytes_total",
                                    "Bytes written to other segments on this host.")),
      lost_replicas(AddCounter(metrics, "tandem:store_lost_replicas_total",
                               "Replicas that could not be read and were reported.")),
      unanswered_reads(AddCounter(metrics, "tandem:store_unanswered_reads_total",
                                  "Reads that their replica's owner did not answer in time.")),
      disk_read_bytes(AddCounter(metrics, "tandem:store_disk_read_bytes_total",
                                 "Bytes read from the disks of segments' owners.")),
      disk_misses(AddCounter(metrics, "tandem:store_disk_misses_total",
                             "Reads of objects on disk that the disk did not have any more, or did "
                             "not give.")) {}

StoreClientCounters TransferCounters::Read() const {
  const auto value = [](const prometheus::Counter& counter) {
    return static_cast<uint64_t>(counter.Value());
  };
  return {value(mapped_read_bytes), value(remote_read_bytes),  value(remote_write_bytes),
          value(local_write_bytes), value(shared_write_bytes), value(lost_replicas),
          value(unanswered_reads),  value(disk_read_bytes),    value(disk_misses)};
}

}  // namespace tandem::store
