#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "store/client/store_client.h"

namespace tandem::python {

/// What setup() takes, under Mooncake's names.
struct SetupOptions {
  std::string local_hostname;
  std::string metadata_server;
  uint64_t global_segment_size = 16 << 20;
  uint64_t local_buffer_size = 16 << 20;
  std::string protocol = "tcp";
  std::string rdma_devices;
  std::string master_server_addr = "127.0.0.1:50051";
};

using Parts = std::vector<std::span<const std::byte>>;
using MutableParts = std::vector<std::span<std::byte>>;

/// The store as mooncake.store presents it: numbers for results, 0 or a count for success and a
/// negative code (store/proto/error_code.h) for failure. Every call ends within a few seconds.
/// Before setup and after close, calls fail. Safe for use by several threads; knows nothing of
/// Python.
class DistributedStore {
 public:
  int Setup(const SetupOptions& options);
  int Close();
  std::string Hostname() const;
  /// 0 if the master answered the last ping.
  int HealthCheck() const;

  /// Writes objects, each gathered from its parts. One that is there already counts as written.
  std::vector<int> Put(const std::vector<std::string>& keys, const std::vector<Parts>& values,
                       const store::ReplicateConfig& config);

  /// Null where missing.
  std::vector<std::unique_ptr<store::ReadHandle>> Get(const std::vector<std::string>& keys);
  /// Scatters objects over their parts; the bytes read, or a code.
  std::vector<int64_t> GetInto(const std::vector<std::string>& keys,
                               const std::vector<MutableParts>& buffers);
  /// 1, 0 or -1.
  std::vector<int> Exist(const std::vector<std::string>& keys);
  std::vector<int64_t> Sizes(const std::vector<std::string>& keys);
  std::vector<int> Remove(const std::vector<std::string>& keys, bool force);
  int64_t RemoveByRegex(const std::string& pattern, bool force);
  int64_t RemoveAll(bool force);

  /// Any memory may be read and written here; callers that register it get the answers they expect.
  int RegisterBuffer(uint64_t address, uint64_t size);
  int UnregisterBuffer(uint64_t address);

 private:
  std::shared_ptr<store::StoreClient> client() const;

  mutable Mutex mutex_;
  std::map<uint64_t, uint64_t> buffers_ ABSL_GUARDED_BY(mutex_);  // address -> size
  std::unique_ptr<MetricRegistry> metrics_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<store::StoreClient> client_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::python
