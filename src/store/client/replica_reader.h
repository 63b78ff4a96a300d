#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/client/found_objects.h"
#include "store/client/local_buffers.h"
#include "store/client/peer_mappings.h"
#include "store/client/segment_owner.h"
#include "store/client/transfer_counters.h"
#include "transfer/transport.h"

namespace tandem::store {

/// Reads objects from wherever their replicas are: this process's own segment or one that is mapped
/// (the bytes stay where they are, pinned), else another host's (received into a local buffer, and
/// its checksum compared). Safe for use by several threads.
class ReplicaReader {
 public:
  struct Options {
    std::string own_segment;
    std::string host_identity;
    bool verify_local_reads = false;
    Duration silence;  ///< After which an owner counts as gone.
  };
  /// All outlive it.
  ReplicaReader(Options options, SegmentOwner& owner, PeerMappings& mappings,
                transfer::Transport& transport, LocalBuffers& buffers, TransferCounters& counters)
      : options_(std::move(options)),
        owner_(owner),
        mappings_(mappings),
        transport_(transport),
        buffers_(buffers),
        counters_(counters) {}

  /// One object that is wanted. `bytes` is set by Read, or stays an error: of the last replica
  /// tried. Replicas that proved to be unreadable are in `lost`.
  struct Wanted {
    std::shared_ptr<const FoundObject> object;
    absl::StatusOr<transfer::ReadableBytes> bytes = absl::NotFoundError("no replica");
    std::vector<ReplicaLocation> lost;
  };

  /// Reads all; those of one segment are asked for together, and transfers run side by side.
  void Read(std::vector<Wanted*> wanted, TimePoint deadline);

 private:
  enum class Way { kOwn, kMapped, kRemote };
  struct Attempt {
    Wanted* wanted;
    ReplicaLocation replica;
  };

  Way WayTo(const proto::Segment& segment) const;
  void ReadOwn(const std::vector<Attempt>& attempts);
  void ReadMapped(const std::vector<Attempt>& attempts, TimePoint deadline);
  void ReadRemote(const std::vector<Attempt>& attempts, TimePoint deadline);
  void Settle(const Attempt& attempt, absl::StatusOr<transfer::ReadableBytes> bytes, bool verify);

  const Options options_;
  SegmentOwner& owner_;
  PeerMappings& mappings_;
  transfer::Transport& transport_;
  LocalBuffers& buffers_;
  TransferCounters& counters_;
};

}  // namespace tandem::store
