#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/client/copy_threads.h"
#include "store/client/local_buffers.h"
#include "store/client/peer_mappings.h"
#include "store/client/pending_object.h"
#include "store/client/revocations.h"
#include "store/client/segment_owner.h"
#include "store/client/store_client.h"
#include "store/client/transfer_counters.h"
#include "store/proto/master_client.h"
#include "transfer/transport.h"

namespace tandem::store {

/// Puts objects: asks the master for room, hands out the bytes to fill, and publishes them: first
/// in the directory of every owner, then at the master. Safe for use by several threads.
class ObjectWriter {
 public:
  struct Options {
    std::string client_id;
    std::string own_segment;    ///< Empty for a client that lends no memory.
    std::string host_identity;  ///< Whose owners are written to through shared memory.
    Duration silence;           ///< After which an owner counts as gone.
  };
  /// All but `revocations` outlive it and everything it handed out.
  ObjectWriter(Options options, MasterClient& master, SegmentOwner& owner, PeerMappings& mappings,
               transfer::Transport& transport, LocalBuffers& buffers, CopyThreads& copy_threads,
               TransferCounters& counters, std::shared_ptr<Revocations> revocations)
      : options_(std::move(options)),
        master_(master),
        owner_(owner),
        mappings_(mappings),
        transport_(transport),
        buffers_(buffers),
        copy_threads_(copy_threads),
        counters_(counters),
        revocations_(std::move(revocations)) {}

  /// As StoreClient's.
  std::vector<std::unique_ptr<Reservation>> Reserve(std::span<const std::string> keys,
                                                    std::span<const uint64_t> sizes,
                                                    const ReplicateConfig& config,
                                                    const CallContext& call,
                                                    std::vector<ErrorCode>* codes);
  std::vector<ErrorCode> Commit(std::span<const std::unique_ptr<Reservation>> reservations,
                                const CallContext& call);
  std::vector<ErrorCode> Put(std::span<const std::string> keys, std::span<const Parts> values,
                             const ReplicateConfig& config, TimePoint deadline);

 private:
  using Pending = std::vector<std::unique_ptr<PendingObject>>;
  /// Asks for room; null with a code where there is none.
  Pending Start(std::span<const std::string> keys, std::span<const uint64_t> sizes,
                const ReplicateConfig& config, const CallContext& call,
                std::vector<ErrorCode>* codes);
  using Routes = std::map<std::string, std::shared_ptr<const PendingObject::Route>>;
  /// The ways to the segments that a master chose, by their names.
  Routes RoutesTo(const proto::PutStartResponse& response, TimePoint deadline);
  /// Gives an object bytes to fill: in the own segment, else in a local buffer.
  absl::Status TakeBytes(PendingObject& object, TimePoint deadline);
  /// Has what goes to other hosts on its way while the rest is copied. A batch of `bytes` in all.
  std::vector<absl::Status> FillAll(const Pending& objects, std::span<const Parts> values,
                                    uint64_t bytes, TimePoint deadline);
  absl::Status Fill(PendingObject& object, const Parts& value, TimePoint deadline);
  std::vector<ErrorCode> Distribute(std::span<PendingObject* const> objects,
                                    const CallContext& call);
  /// Has the bytes go to other hosts, while others are filled.
  void StartSending(PendingObject& object, transfer::Spread spread);
  /// The same for objects that go in one message, many together.
  void SendWhole(std::span<PendingObject* const> objects);
  void WriteToNeighbours(std::span<PendingObject* const> objects, TimePoint deadline);
  void PublishAtOwners(std::span<PendingObject* const> objects, TimePoint deadline);
  std::vector<ErrorCode> End(std::span<PendingObject* const> objects, const CallContext& call);
  void Forget(const PendingObject& object);
  /// Waits until no transfer reads the caller's bytes any more, as it may after it was given up.
  void TakeBackBytes(PendingObject& object);

  const Options options_;
  MasterClient& master_;
  SegmentOwner& owner_;
  PeerMappings& mappings_;
  transfer::Transport& transport_;
  LocalBuffers& buffers_;
  CopyThreads& copy_threads_;
  TransferCounters& counters_;
  const std::shared_ptr<Revocations> revocations_;
};

}  // namespace tandem::store
