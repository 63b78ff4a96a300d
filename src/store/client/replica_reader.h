#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/client/found_objects.h"
#include "store/client/local_buffers.h"
#include "store/client/peer_mappings.h"
#include "store/client/segment_owner.h"
#include "store/client/transfer_counters.h"
#include "transfer/lent_bytes.h"
#include "transfer/transport.h"

namespace tandem::store {

/// Reads objects from wherever their replicas are: this process's own segment or one that is mapped
/// (the bytes stay where they are, pinned), else another host's or an owner's disk (received into a
/// local buffer or straight to where they are wanted, and the checksum compared). Safe for use by
/// several threads.
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
  /// tried. In `lost` are the replicas that are certain to be no more: the owner has gone or does
  /// not hold that generation, or the bytes are not the object's. An owner that does not answer may
  /// only be paused, and its replica is as good as before.
  struct Wanted {
    std::shared_ptr<const FoundObject> object;
    /// Unless empty, at least as long as the object: what comes over the network or from a disk
    /// goes there at once, and that is where `bytes` are. Undefined after an error, and the
    /// caller's again once Read has returned.
    std::span<std::byte> into;
    absl::StatusOr<transfer::ReadableBytes> bytes = absl::NotFoundError("no replica");
    std::vector<ReplicaLocation> lost;
  };

  /// Whether reading an object may take a local buffer: if it has a replica on this host as well,
  /// that may prove to be lost.
  bool MayReceive(const FoundObject& object) const;

  /// Reads all; those of one segment are asked for together, and transfers run side by side. `kept`
  /// counts the bytes of local buffers that the caller's call has been given, by this and by
  /// earlier reads: it does not wait for those.
  void Read(std::vector<Wanted*> wanted, TimePoint deadline, uint64_t& kept);

 private:
  enum class Way { kOwn, kMapped, kRemote, kOwnDisk, kRemoteDisk };
  struct Attempt {
    Wanted* wanted;
    ReplicaLocation replica;
  };

  struct InFlight {
    transfer::ReadableBytes bytes;
    std::optional<transfer::LentBytes> lent;  ///< Of the caller, who needs them back.
    std::shared_ptr<transfer::Transfer> transfer;
    bool prompt = false;  ///< Likely to be there within microseconds.
  };

  Way WayTo(const ReplicaLocation& replica) const;
  void ReadOwn(const std::vector<Attempt>& attempts);
  void ReadMapped(const std::vector<Attempt>& attempts, TimePoint deadline);
  void ReadRemote(const std::vector<Attempt>& attempts, TimePoint deadline, uint64_t& kept);
  /// Whether the bytes arrive where they are wanted, not in a local buffer.
  bool GoesStraight(const Attempt& attempt) const;
  static transfer::WritableBytes LendDestination(const Wanted& wanted, InFlight& read);
  /// For an object, in a call that keeps so many bytes in other buffers.
  absl::StatusOr<transfer::WritableBytes> TakeBuffer(uint64_t size, uint64_t kept,
                                                     TimePoint deadline);
  /// Starts to fill a buffer from another host or from a disk.
  std::shared_ptr<transfer::Transfer> Start(const ReplicaLocation& replica,
                                            transfer::WritableBytes buffer);
  std::vector<absl::StatusOr<transfer::ReadableBytes>> Pin(
      const std::string& socket_name, const std::vector<transfer::Extent>& extents,
      TimePoint give_up);
  /// What became of one, by `deadline`.
  absl::StatusOr<transfer::ReadableBytes> Finish(const Attempt& attempt, const InFlight& read,
                                                 TimePoint deadline,
                                                 std::map<std::string, bool>& gone);
  void Settle(const Attempt& attempt, absl::StatusOr<transfer::ReadableBytes> bytes, bool verify);
  /// Whether `bytes`, the object's, have its checksum; with `into` they are then there.
  static bool TakeOver(const Wanted& wanted, transfer::ReadableBytes& bytes);

  const Options options_;
  SegmentOwner& owner_;
  PeerMappings& mappings_;
  transfer::Transport& transport_;
  LocalBuffers& buffers_;
  TransferCounters& counters_;
};

}  // namespace tandem::store
