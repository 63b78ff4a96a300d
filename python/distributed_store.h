#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/security.h"
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
  bool verify_local_reads = false;
  double call_timeout = 10;  ///< Seconds in which every later call ends.
  SecurityOptions security;
};

using store::MutableParts;
using store::Parts;

/// The store as mooncake.store presents it: numbers for results, 0 or a count for success and a
/// negative code (store/proto/error_code.h) for failure, whose reason is logged. Every call ends
/// within call_timeout. Before setup and after close, calls fail. Safe for use by several threads;
/// knows nothing of Python.
///
/// A forked child can use no store of its parent's, nor set up one of its own once its parent did:
/// threads and connections do not survive a fork. Its calls throw std::runtime_error.
class DistributedStore {
 public:
  DistributedStore() = default;
  ~DistributedStore();
  int Setup(const SetupOptions& options);
  int Close();
  std::string Hostname() const;
  /// 0 if the master answered the last ping, 1 without a setup, 2 if it did not.
  int HealthCheck() const;

  /// Writes objects, each gathered from its parts. One that is there already counts as written.
  std::vector<int> Put(const std::vector<std::string>& keys, const std::vector<Parts>& values,
                       const store::ReplicateConfig& config);

  /// Null where missing. Objects of other hosts must together fit local_buffer_size.
  std::vector<std::unique_ptr<store::ReadHandle>> Get(const std::vector<std::string>& keys);
  /// Objects to be copied, one after the other: calls make_room(i, size) for memory of that size,
  /// or of size 0 for one that is missing, and copies the i-th there.
  void GetCopies(const std::vector<std::string>& keys,
                 absl::FunctionRef<std::byte*(size_t i, size_t size)> make_room);
  /// Scatters objects over their parts; the bytes read, or a code.
  std::vector<int64_t> GetInto(const std::vector<std::string>& keys,
                               const std::vector<MutableParts>& buffers);
  /// 1, 0 or -1.
  std::vector<int> Exist(const std::vector<std::string>& keys);
  std::vector<int64_t> Sizes(const std::vector<std::string>& keys);
  std::vector<int> Remove(const std::vector<std::string>& keys, bool force);
  int64_t RemoveByRegex(const std::string& pattern, bool force);
  int64_t RemoveAll(bool force);

  /// Memory that Mooncake's calls with pointers may read and write: what lies outside gives
  /// kInvalidParams there. Registering what overlaps with what is registered is kInvalidParams.
  int RegisterBuffer(uint64_t address, uint64_t size);
  int UnregisterBuffer(uint64_t address);
  /// As Put and GetInto, of registered memory only.
  std::vector<int> PutRegistered(const std::vector<std::string>& keys,
                                 const std::vector<Parts>& values,
                                 const store::ReplicateConfig& config);
  std::vector<int64_t> GetIntoRegistered(const std::vector<std::string>& keys,
                                         const std::vector<MutableParts>& buffers);

  /// Whether this process is a forked child of the one that set the store up.
  bool forked() const;

 private:
  /// From a setup to the close, and until the last call that was under way then has ended.
  struct Session {
    MetricRegistry metrics;
    std::unique_ptr<store::StoreClient> client;  // counts there
  };

  /// Null without a setup. Holds the session.
  std::shared_ptr<store::StoreClient> client() const;
  TimePoint Deadline() const;
  bool IsRegistered(std::span<const std::byte> bytes) const;

  std::atomic<pid_t> process_ = 0;  // that set it up
  std::atomic<double> call_timeout_ = SetupOptions().call_timeout;
  mutable Mutex mutex_;
  std::map<uint64_t, uint64_t> buffers_ ABSL_GUARDED_BY(mutex_);  // address -> size
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::python
