#pragma once

#include <memory>
#include <string>

#include "base/checksummed_copy.h"
#include "store/client/copy_threads.h"
#include "store/client/disk_tier.h"
#include "store/client/found_objects.h"
#include "store/client/local_buffers.h"
#include "store/client/membership.h"
#include "store/client/metadata_registration.h"
#include "store/client/object_writer.h"
#include "store/client/offloader.h"
#include "store/client/peer_mappings.h"
#include "store/client/remover.h"
#include "store/client/replica_reader.h"
#include "store/client/segment_owner.h"
#include "store/client/store_client.h"
#include "store/client/transfer_counters.h"
#include "store/proto/master_client.h"
#include "transfer/transport.h"

namespace tandem::store {

/// The store client: the parts of this folder put together.
class PoolMember : public StoreClient {
 public:
  /// `host_identity` decides whose memory can be mapped, `make_io` how the disk is used; tests give
  /// their own.
  static absl::StatusOr<std::unique_ptr<PoolMember>> Join(
      const StoreClientOptions& options, const Security& security,
      std::unique_ptr<MasterClient> master, std::string host_identity, MetricRegistry& metrics,
      const Clock& clock, DiskTier::MakeIo make_io = {});
  ~PoolMember() override;

  std::vector<std::unique_ptr<Reservation>> Reserve(std::span<const std::string> keys,
                                                    std::span<const uint64_t> sizes,
                                                    const ReplicateConfig& config,
                                                    const CallContext& call,
                                                    std::vector<ErrorCode>* codes) override;
  std::vector<ErrorCode> Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                const CallContext& call) override;
  std::vector<int64_t> Find(std::span<const std::string> keys, const CallContext& call) override;
  std::vector<std::unique_ptr<ReadHandle>> Read(std::span<const std::string> keys,
                                                TimePoint deadline,
                                                std::vector<ErrorCode>* codes) override;
  void ReadEach(std::span<const std::string> keys, TimePoint deadline, TakeObject take) override;
  using StoreClient::Put;
  using StoreClient::ReadInto;
  std::vector<int64_t> ReadInto(std::span<const std::string> keys,
                                std::span<const MutableParts> buffers, TimePoint deadline) override;
  std::vector<ErrorCode> Put(std::span<const std::string> keys, std::span<const Parts> values,
                             const ReplicateConfig& config, TimePoint deadline) override;
  std::vector<int> Exist(std::span<const std::string> keys, TimePoint deadline) override;
  std::vector<ErrorCode> Remove(std::span<const std::string> keys, bool force,
                                TimePoint deadline) override;
  int64_t RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) override;
  int64_t RemoveAll(bool force, TimePoint deadline) override;
  absl::StatusOr<std::vector<std::string>> ListKeys(const std::string& prefix, int limit,
                                                    const std::string& after,
                                                    TimePoint deadline) override;

  bool healthy() const override { return membership_->healthy(); }
  uint64_t segment_bytes() const override { return membership_->granted(); }
  const std::string& segment_name() const override { return segment_name_; }
  StoreClientCounters counters() const override { return counters_.Read(); }

  /// What its segment holds, and what its disk does.
  std::vector<HeldObject> Published() const { return owner_.Published(); }
  std::vector<StoredObject> OnDisk() const { return disk_.Objects(); }

 private:
  PoolMember(const StoreClientOptions& options, const Security& security,
             std::unique_ptr<MasterClient> master, std::string host_identity,
             MetricRegistry& metrics, const Clock& clock, DiskTier::MakeIo make_io);
  absl::Status Open(int port);
  proto::Segment DescribeSegment(uint64_t size) const;

  struct Lookup {
    ErrorCode code = kRpcFailed;
    std::shared_ptr<const FoundObject> object;
  };
  /// Asks the master, many keys in one call, and remembers what it says.
  std::vector<Lookup> AskMaster(std::span<const std::string> keys, const CallContext& call);
  void AskMaster(std::span<const std::string> keys, const CallContext& call,
                 std::span<Lookup> lookups);
  /// From memory where the lease still runs, the rest from the master.
  std::vector<Lookup> LookUp(std::span<const std::string> keys, TimePoint deadline);
  /// The first of `lookups`, of which there is one at least, that are read at a time: as many as
  /// local buffers hold of what has to be received, and no more than owners like to keep pinned.
  std::span<const Lookup> ReadAtOnce(std::span<const Lookup> lookups) const;
  /// As Read, of what LookUp found. Unless `into` is empty, it has a buffer for each key, maybe an
  /// empty one: what need not stay where it is may be copied there.
  std::vector<std::unique_ptr<ReadHandle>> ReadSome(std::span<const std::string> keys,
                                                    std::vector<Lookup> lookups,
                                                    std::span<const std::span<std::byte>> into,
                                                    TimePoint deadline,
                                                    std::vector<ErrorCode>* codes);
  /// Reads the objects of `keys` at these places, as far as they were found. Returns those that are
  /// not where they were said to be. `kept` is ReplicaReader's.
  std::vector<size_t> ReadFound(std::span<const std::string> keys,
                                const std::vector<size_t>& places,
                                const std::vector<Lookup>& lookups,
                                std::span<const std::span<std::byte>> into, TimePoint deadline,
                                uint64_t& kept, std::vector<std::unique_ptr<ReadHandle>>& handles,
                                std::vector<ErrorCode>& codes);
  void ReportLost(const std::string& key, const std::vector<ReplicaLocation>& lost,
                  proto::ReportLostReplicasRequest& report);

  const StoreClientOptions options_;
  const Security security_;
  const std::string host_identity_;
  const std::string client_id_;
  const Clock& clock_;
  const std::unique_ptr<MasterClient> master_;
  const std::shared_ptr<Revocations> revocations_;
  TransferCounters counters_;
  FoundObjects found_;
  LocalBuffers buffers_;
  CopyThreads copy_threads_{CopyThreadCount()};
  PeerMappings mappings_;
  std::string segment_name_;  // const once joined

  // In the order in which they are to end: last to first.
  DiskTier disk_;
  SegmentOwner owner_;
  std::unique_ptr<transfer::Transport> transport_;
  std::unique_ptr<MetadataRegistration> registration_;
  std::unique_ptr<Offloader> offloader_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<ReplicaReader> reader_;
  std::unique_ptr<ObjectWriter> writer_;
  std::unique_ptr<Remover> remover_;
};

}  // namespace tandem::store
