#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/client/disk_tier.h"
#include "store/client/metadata_registration.h"
#include "store/client/offloader.h"
#include "store/client/peer_mappings.h"
#include "store/client/segment_owner.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// A client's place in the pool. A thread pings the master, drops from the directory what was
/// removed as soon as the master tells, and takes whatever steps are left on the way to be a full
/// member: mount the segment, register what it holds in memory and, if the master wants a disk to
/// be used, there, be listed at the metadata server. A step that fails, or a master that has
/// forgotten the client (a restart, a long silence), is tried again in the next round, for as long
/// as it lives.
class Membership {
 public:
  struct Options {
    std::string client_id;
    std::string master_address;  ///< For messages.
    Duration call_timeout;       ///< Of one call to the master; a round takes at most three.
    Duration ping_interval = std::chrono::seconds(1);
    Duration retry_interval = std::chrono::milliseconds(200);  ///< While a step is left.
  };
  /// All outlive it. `segment` says what to mount; its size is the size asked for, 0 for nothing.
  Membership(Options options, proto::Segment segment, uint64_t host_budget, MasterClient& master,
             SegmentOwner& owner, DiskTier& disk, Offloader& offloader, PeerMappings& mappings,
             MetadataRegistration& registration);
  /// Leaves, if it has joined.
  ~Membership() { Leave(); }

  /// Reaches the master, and mounts the segment if there is room for it now: if the host's share is
  /// taken, perhaps by one that has not left yet, the thread goes on asking. Errors name
  /// master_server_address or global_segment_size.
  absl::Status Join();
  /// Starts the thread.
  void Start();
  /// Ends the thread and unmounts the segment. Bounded by the time-out of a round.
  void Leave();

  /// Bytes mounted; 0 until there was room.
  uint64_t granted() const { return granted_.load(std::memory_order_relaxed); }
  /// Whether the master answered last.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

 private:
  /// What the master knows of this client, in this life of the master.
  enum class State {
    kUnmounted,     ///< Nothing.
    kUnregistered,  ///< The segment, but not all that it holds.
    kUnlisted,      ///< All; other clients may not find it at the metadata server.
    kMember,
  };

  void Run();
  /// Pings, and takes the steps that are left; false if the master did not answer.
  bool Round();
  bool Ping();
  void TakeSteps();
  absl::Status MountSegment();
  /// A round that began then has found this to be a member.
  void ServeFrom(TimePoint heard);
  absl::Status TakeGrant(const proto::MountSegmentResponse& mounted);
  /// Drops what the master says was removed; true once all of it is gone for good.
  bool Forget(const proto::PingResponse& response);
  void ListToRegister(bool memory);
  absl::Status RegisterHeldObjects(TimePoint deadline);
  void DropRefused(const proto::RegisterObjectsResponse& response);
  /// Whether it is an error other than the last complaint, which it is now.
  bool IsNews(const absl::Status& status);
  bool Pause(TimePoint until);
  bool lends() const { return segment_.size() > 0; }
  TimePoint Deadline() const { return Clock::Real().Now() + options_.call_timeout; }

  const Options options_;
  const proto::Segment segment_;
  const uint64_t host_budget_;
  MasterClient& master_;
  SegmentOwner& owner_;
  DiskTier& disk_;
  Offloader& offloader_;
  PeerMappings& mappings_;
  MetadataRegistration& registration_;

  // Of the thread, once it runs.
  State state_ = State::kUnmounted;
  std::string epoch_;  // of the master's life that state_ is about
  Duration client_ttl_{};
  uint64_t forgotten_through_ = 0;
  HeardThrough heard_;  // see RegisterObjectsRequest
  struct ToRegister {
    HeldObject object;
    bool on_disk;
  };
  std::vector<ToRegister> to_register_;  // from the back
  bool all_registered_ = true;
  bool offloads_ = false;     // the master wants a disk to be used
  bool disk_listed_ = false;  // what is on disk is, or was, in to_register_
  bool disk_tidy_ = true;     // and all of it that was refused is gone
  bool disk_found_ = false;   // it has been listed before
  size_t registered_ = 0;
  std::string complaint_;  // the last error that was logged

  bool joined_ = false;
  std::atomic<uint64_t> granted_ = 0;
  std::atomic<bool> healthy_ = false;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::store
