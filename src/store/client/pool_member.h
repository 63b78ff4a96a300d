#pragma once

#include <memory>
#include <string>

#include "store/client/found_objects.h"
#include "store/client/local_buffers.h"
#include "store/client/membership.h"
#include "store/client/metadata_registration.h"
#include "store/client/object_writer.h"
#include "store/client/peer_mappings.h"
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
  /// `host_identity` decides whose memory can be mapped; tests give one of their own.
  static absl::StatusOr<std::unique_ptr<PoolMember>> Join(const StoreClientOptions& options,
                                                          std::unique_ptr<MasterClient> master,
                                                          std::string host_identity,
                                                          MetricRegistry& metrics,
                                                          const Clock& clock);
  ~PoolMember() override;

  std::vector<std::unique_ptr<Reservation>> Reserve(std::span<const std::string> keys,
                                                    std::span<const uint64_t> sizes,
                                                    const ReplicateConfig& config,
                                                    TimePoint deadline,
                                                    std::vector<ErrorCode>* codes) override;
  std::vector<ErrorCode> Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                TimePoint deadline) override;
  std::vector<int64_t> Find(std::span<const std::string> keys, TimePoint deadline) override;
  std::vector<std::unique_ptr<ReadHandle>> Read(std::span<const std::string> keys,
                                                TimePoint deadline,
                                                std::vector<ErrorCode>* codes) override;
  std::vector<int64_t> ReadInto(std::span<const std::string> keys,
                                std::span<const std::span<std::byte>> buffers,
                                TimePoint deadline) override;
  std::vector<ErrorCode> Put(std::span<const std::string> keys,
                             std::span<const std::span<const std::byte>> values,
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

  /// What its segment holds.
  std::vector<HeldObject> Published() const { return owner_.Published(); }

 private:
  PoolMember(const StoreClientOptions& options, std::unique_ptr<MasterClient> master,
             std::string host_identity, MetricRegistry& metrics, const Clock& clock);
  absl::Status Open();
  proto::Segment DescribeSegment(uint64_t size) const;

  struct Lookup {
    ErrorCode code = kRpcFailed;
    std::shared_ptr<const FoundObject> object;
  };
  /// Asks the master, in one call, and remembers what it says.
  std::vector<Lookup> AskMaster(std::span<const std::string> keys, TimePoint deadline);
  /// From memory where the lease still runs, the rest from the master.
  std::vector<Lookup> LookUp(std::span<const std::string> keys, TimePoint deadline);
  void ReportLost(const std::string& key, const std::vector<ReplicaLocation>& lost,
                  proto::ReportLostReplicasRequest& report);

  const StoreClientOptions options_;
  const std::string host_identity_;
  const std::string client_id_;
  const Clock& clock_;
  const std::unique_ptr<MasterClient> master_;
  const std::shared_ptr<Revocations> revocations_ = std::make_shared<Revocations>();
  TransferCounters counters_;
  FoundObjects found_;
  LocalBuffers buffers_;
  PeerMappings mappings_;
  std::string segment_name_;  // const once joined

  // In the order in which they are to end: last to first.
  SegmentOwner owner_;
  std::unique_ptr<transfer::Transport> transport_;
  std::unique_ptr<MetadataRegistration> registration_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<ReplicaReader> reader_;
  std::unique_ptr<ObjectWriter> writer_;
};

}  // namespace tandem::store
