#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "store/client/metadata_registration.h"
#include "store/client/peer_mappings.h"
#include "store/client/revocations.h"
#include "store/client/segment_owner.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// A client's place in the pool: mounts its segment, pings the master from a thread of its own, and
/// after the master has forgotten it (a restart, or a long silence) mounts again and registers what
/// the segment holds. The same thread does the small things that can wait for a ping.
class Membership {
 public:
  struct Options {
    std::string client_id;
    std::string master_address;  ///< For messages.
    Duration call_timeout;       ///< Of one call to the master.
    Duration ping_interval = std::chrono::seconds(1);
    Duration retry_interval = std::chrono::milliseconds(200);  ///< While the master is away.
  };
  /// All outlive it. `segment` says what to mount; its size is the size asked for, 0 for nothing.
  Membership(Options options, proto::Segment segment, uint64_t host_budget, MasterClient& master,
             SegmentOwner& owner, PeerMappings& mappings, MetadataRegistration& registration,
             std::shared_ptr<Revocations> revocations);
  /// Leaves, if it has joined.
  ~Membership() { Leave(); }

  /// Mounts the segment, or pings if there is none. Errors name master_server_address or
  /// global_segment_size.
  absl::Status Join();
  /// Starts the thread.
  void Start();
  /// Ends the thread and unmounts the segment. Bounded by the time-out of a call.
  void Leave();

  uint64_t granted() const { return granted_; }
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  /// Has the thread do its round now.
  void Wake() { revocations_->Wake(); }

 private:
  void Run();
  /// One round: ping, and what it brings. Returns whether the master answered.
  bool Ping();
  void ApplyRemovals(const proto::PingResponse& response);
  absl::StatusOr<proto::MountSegmentResponse> Mount(uint64_t size, bool exact);
  void MountAgain();
  absl::Status RegisterHeldObjects();
  void SendRevocations();
  TimePoint Deadline() const { return Clock::Real().Now() + options_.call_timeout; }

  const Options options_;
  const proto::Segment segment_;
  const uint64_t host_budget_;
  MasterClient& master_;
  SegmentOwner& owner_;
  PeerMappings& mappings_;
  MetadataRegistration& registration_;
  const std::shared_ptr<Revocations> revocations_;

  uint64_t granted_ = 0;
  bool joined_ = false;
  std::string epoch_;               // of the thread, once it runs
  uint64_t forgotten_through_ = 0;  // likewise
  std::atomic<bool> healthy_ = false;
  std::thread thread_;
};

}  // namespace tandem::store
