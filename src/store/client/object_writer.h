#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/client/local_buffers.h"
#include "store/client/revocations.h"
#include "store/client/segment_owner.h"
#include "store/client/store_client.h"
#include "store/client/transfer_counters.h"
#include "store/proto/master_client.h"
#include "transfer/transport.h"

namespace tandem::store {

class PendingObject;

/// Puts objects: asks the master for room, hands out the bytes to fill, and publishes them: first
/// in the directory of every owner, then at the master. Safe for use by several threads.
class ObjectWriter {
 public:
  struct Options {
    std::string client_id;
    std::string own_segment;  ///< Empty for a client that lends no memory.
    Duration silence;         ///< After which an owner counts as gone.
  };
  /// All but `revocations` outlive it and everything it handed out.
  ObjectWriter(Options options, MasterClient& master, SegmentOwner& owner,
               transfer::Transport& transport, LocalBuffers& buffers, TransferCounters& counters,
               std::shared_ptr<Revocations> revocations)
      : options_(std::move(options)),
        master_(master),
        owner_(owner),
        transport_(transport),
        buffers_(buffers),
        counters_(counters),
        revocations_(std::move(revocations)) {}

  /// As StoreClient::Reserve and Commit.
  std::vector<std::unique_ptr<Reservation>> Reserve(std::span<const std::string> keys,
                                                    std::span<const uint64_t> sizes,
                                                    const ReplicateConfig& config,
                                                    TimePoint deadline,
                                                    std::vector<ErrorCode>* codes);
  std::vector<ErrorCode> Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                TimePoint deadline);

 private:
  absl::StatusOr<std::unique_ptr<PendingObject>> Open(const std::string& key, uint64_t size,
                                                      const ReplicateConfig& config,
                                                      const proto::PutStartResult& placed,
                                                      const proto::PutStartResponse& response,
                                                      TimePoint deadline);
  void Send(std::span<PendingObject* const> objects, TimePoint deadline);
  void PublishAtOwners(std::span<PendingObject* const> objects, TimePoint deadline);
  std::vector<ErrorCode> End(std::span<PendingObject* const> objects, TimePoint deadline);
  void Forget(const PendingObject& object);

  const Options options_;
  MasterClient& master_;
  SegmentOwner& owner_;
  transfer::Transport& transport_;
  LocalBuffers& buffers_;
  TransferCounters& counters_;
  const std::shared_ptr<Revocations> revocations_;
};

}  // namespace tandem::store
