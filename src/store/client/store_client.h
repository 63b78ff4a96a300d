#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/security.h"
#include "store/client/call_context.h"
#include "store/proto/error_code.h"

namespace tandem::store {

struct StoreClientOptions {
  /// Address that others reach this process by, maybe with the port, "host:port", where it serves
  /// what it lends; names its segment.
  std::string local_hostname;
  std::string metadata_server;   ///< "http://host:port/metadata", or "P2PHANDSHAKE" for none.
  std::string master_address;    ///< What ConnectToMasters takes.
  std::string protocol = "tcp";  ///< "tcp" or "rdma"
  std::string device_name;       ///< Devices to use with rdma; empty for all.
  uint64_t segment_bytes = 0;    ///< Memory lent to the pool; 0 lends none.
  uint64_t local_buffer_bytes = 1 << 30;  ///< The most memory for reads from other hosts in flight.
  Duration call_timeout = std::chrono::seconds(5);      ///< Of one call to the master.
  Duration transfer_timeout = std::chrono::seconds(1);  ///< Silence after which a transfer fails.
  std::string host_identity;  ///< Empty: this host's. Another one keeps it from mapping memory.
  bool verify_local_reads = false;  ///< Check checksums of mapped reads as well.
  SecurityOptions security;         ///< Where it says nothing, the environment does.
};

/// How an object is to be kept.
struct ReplicateConfig {
  int replica_num = 1;
  bool with_soft_pin = false;
  bool with_hard_pin = false;
  std::string preferred_segment;  ///< Empty: the writer's own.
};

/// Room for one object, to be filled before Commit. `bytes` is the writer's own segment where that
/// is where the object goes, else a local buffer that Commit sends to the owner. Movable; letting
/// go of one that was not committed gives the room back.
class Reservation {
 public:
  virtual ~Reservation() = default;
  virtual std::span<std::byte> bytes() = 0;
};

/// An object's bytes, readable while this lives: a mapping of a segment on this host (the extent
/// stays pinned), or a local copy of another host's.
class ReadHandle {
 public:
  virtual ~ReadHandle() = default;
  virtual std::span<const std::byte> bytes() const = 0;
};

/// An object's bytes, or room for them, in parts that follow on each other.
using Parts = std::vector<std::span<const std::byte>>;
using MutableParts = std::vector<std::span<std::byte>>;

/// Where the bytes of reads came from, for metrics and tests.
struct StoreClientCounters {
  uint64_t mapped_read_bytes = 0;   ///< Through shared memory.
  uint64_t remote_read_bytes = 0;   ///< Through the transfer, received.
  uint64_t remote_write_bytes = 0;  ///< Through the transfer, sent.
  uint64_t local_write_bytes = 0;   ///< Into this client's own segment.
  uint64_t shared_write_bytes = 0;  ///< Into another process's on this host, through it.
  uint64_t lost_replicas = 0;       ///< Proved to be unreadable and reported to the master.
  uint64_t unanswered_reads = 0;    ///< Reads that failed and prove nothing: the replica stays.
  uint64_t disk_read_bytes = 0;     ///< From the disks of owners, this process's among them.
  uint64_t disk_misses = 0;         ///< Of the lost replicas, those on disk.
};

/// A member of the pool: lends a segment, puts and gets objects. Safe for use by several threads.
/// Every call blocks its thread, at most until its deadline: transfers that outlive it keep their
/// buffers alive by themselves. Only a Put takes a fraction of a second more to break off transfers
/// that read the caller's bytes. Results of batches stand in the order of the keys.
class StoreClient {
 public:
  /// Mounts the segment, registers at the metadata server and starts pinging. Errors name the
  /// option that is wrong: an address nobody listens on, a protocol without a device, a size of
  /// which nothing could be granted.
  static absl::StatusOr<std::unique_ptr<StoreClient>> Create(const StoreClientOptions& options,
                                                             MetricRegistry& metrics,
                                                             const Clock& clock);
  virtual ~StoreClient() = default;

  /// Room for each key, all in one call to the master. An element is null when there is none, with
  /// its reason in `codes` (kObjectExists, kNoSpace, ...).
  virtual std::vector<std::unique_ptr<Reservation>> Reserve(std::span<const std::string> keys,
                                                            std::span<const uint64_t> sizes,
                                                            const ReplicateConfig& config,
                                                            const CallContext& call,
                                                            std::vector<ErrorCode>* codes) = 0;

  /// Publishes filled reservations, all in one call to the master; computes the checksums. None may
  /// be null.
  virtual std::vector<ErrorCode> Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                        const CallContext& call) = 0;

  /// Size of each object or a negative code, with a lease on those that exist; one call to the
  /// master. What it learns is kept for a Read of the same keys within the lease.
  virtual std::vector<int64_t> Find(std::span<const std::string> keys, const CallContext& call) = 0;

  /// Handles to the objects' bytes; null where missing or unreadable, with the reason in `codes`.
  /// All live side by side: what local_buffer_bytes cannot hold beside what came before it in the
  /// call is kTransferFailed at once.
  virtual std::vector<std::unique_ptr<ReadHandle>> Read(std::span<const std::string> keys,
                                                        TimePoint deadline,
                                                        std::vector<ErrorCode>* codes) = 0;

  /// What becomes of an object: its place among the keys, a handle or null, and the reason.
  using TakeObject =
      absl::FunctionRef<void(size_t index, std::unique_ptr<ReadHandle> handle, ErrorCode code)>;
  /// As Read, for bytes that are copied away: calls `take` once for each key, in their order, on
  /// this thread. If it lets go of handles at once, objects may together be larger than
  /// local_buffer_bytes.
  virtual void ReadEach(std::span<const std::string> keys, TimePoint deadline, TakeObject take) = 0;

  /// Copies each object into its buffer, or scatters it over the buffer's parts; the number of
  /// bytes or a negative code. A buffer that is too small is kInvalidParams. After a timeout no
  /// byte is written to a buffer any more.
  virtual std::vector<int64_t> ReadInto(std::span<const std::string> keys,
                                        std::span<const MutableParts> buffers,
                                        TimePoint deadline) = 0;
  std::vector<int64_t> ReadInto(std::span<const std::string> keys,
                                std::span<const std::span<std::byte>> buffers, TimePoint deadline);

  /// Reserve, copy and Commit in one, each value gathered from its parts: the checksum is made with
  /// the copy, and what goes to another process of this host is copied into its segment without
  /// passing through a local buffer. Values must not change meanwhile; none is touched once this
  /// has returned.
  virtual std::vector<ErrorCode> Put(std::span<const std::string> keys,
                                     std::span<const Parts> values, const ReplicateConfig& config,
                                     TimePoint deadline) = 0;
  std::vector<ErrorCode> Put(std::span<const std::string> keys,
                             std::span<const std::span<const std::byte>> values,
                             const ReplicateConfig& config, TimePoint deadline);

  /// 1, 0 or a negative code for each key.
  virtual std::vector<int> Exist(std::span<const std::string> keys, TimePoint deadline) = 0;
  /// A removal that succeeded is for good, whatever becomes of the master or this client;
  /// kRpcFailed if an owner did not confirm it by the deadline.
  virtual std::vector<ErrorCode> Remove(std::span<const std::string> keys, bool force,
                                        TimePoint deadline) = 0;
  /// How many were removed, or a negative code.
  virtual int64_t RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) = 0;
  virtual int64_t RemoveAll(bool force, TimePoint deadline) = 0;

  virtual absl::StatusOr<std::vector<std::string>> ListKeys(const std::string& prefix, int limit,
                                                            const std::string& after,
                                                            TimePoint deadline) = 0;

  /// Whether the last ping was answered.
  virtual bool healthy() const = 0;
  /// Bytes of the mounted segment, which may be fewer than were asked for.
  virtual uint64_t segment_bytes() const = 0;
  virtual const std::string& segment_name() const = 0;
  virtual StoreClientCounters counters() const = 0;
};

}  // namespace tandem::store
