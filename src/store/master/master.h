#pragma once

#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/master/client_table.h"
#include "store/master/master_metrics.h"
#include "store/master/master_options.h"
#include "store/master/object_catalog.h"
#include "store/master/removal_log.h"
#include "store/master/segment_table.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// The store's metadata: which segments there are and where objects lie. It places bytes and never
/// touches them. Independent of how calls arrive; the meaning of each call stands in store.proto.
/// Safe for use by several threads. Time passes only by its clock and with Maintain(), but that
/// calls with a wait_milliseconds wait in real time.
class Master {
 public:
  /// `metrics` and `clock` must outlive this, and so must `log`, which may be null: it is told what
  /// was removed before whoever asked for it.
  Master(const MasterOptions& options, MasterMetrics& metrics, const Clock& clock,
         RemovalLog* log = nullptr);

  /// Takes in what an earlier life knew, before the first call. Objects are served at once: owners
  /// know what they hold, and their registration, when it comes, decides.
  void Restore(const proto::Snapshot& snapshot);
  /// What this one knows, by and by, so that nobody waits long; what is removed from the start of
  /// this call on may be in it.
  proto::Snapshot TakeSnapshot();

  proto::MountSegmentResponse MountSegment(const proto::MountSegmentRequest& request);
  proto::UnmountSegmentResponse UnmountSegment(const proto::UnmountSegmentRequest& request);
  proto::PingResponse Ping(const proto::PingRequest& request);
  proto::RegisterObjectsResponse RegisterObjects(const proto::RegisterObjectsRequest& request);
  proto::OffloadResponse Offload(const proto::OffloadRequest& request);
  proto::PutStartResponse PutStart(const proto::PutStartRequest& request);
  proto::ResultsResponse PutEnd(const proto::PutEndRequest& request);
  proto::ResultsResponse PutRevoke(const proto::PutRevokeRequest& request);
  proto::GetReplicasResponse GetReplicas(const proto::GetReplicasRequest& request);
  proto::ExistResponse Exist(const proto::KeysRequest& request);
  proto::RemoveResponse Remove(const proto::RemoveRequest& request);
  proto::RemoveManyResponse RemoveByRegex(const proto::RemoveByRegexRequest& request);
  proto::RemoveManyResponse RemoveAll(const proto::RemoveAllRequest& request);
  proto::ConfirmRemovalsResponse ConfirmRemovals(const proto::ConfirmRemovalsRequest& request);
  proto::ResultsResponse ReportLostReplicas(const proto::ReportLostReplicasRequest& request);
  /// Keys of complete objects in alphabetical order; a limit of 0 lists all.
  proto::ListKeysResponse ListKeys(const proto::ListKeysRequest& request);
  proto::ListSegmentsResponse ListSegments(const proto::ListSegmentsRequest& request);

  /// Has every call that waits return, now and from now on.
  void StopWaiting();

  PoolUsage usage() const;

  /// Does a step of an eviction of many objects, so that other calls get their turn between steps.
  /// False if none is under way.
  bool ContinueEviction();

  /// Drops the segments of clients that have been silent for client_ttl and ends stale puts. To be
  /// called a few times a second.
  void Maintain();
  /// This process stood still for so long, in which nobody could be heard.
  void ForgiveSilence(Duration stall);

 private:
  /// Before any answer about objects: waits, within bounds, until owners that an earlier life knew
  /// have registered what they hold. With `keys`, not if a snapshot told of all these.
  void AwaitRecovery() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Keys>
  void AwaitRecovery(const Keys& keys) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// What is being removed is a miss for nobody while others may still read it: waits, within
  /// bounds, for its owners to forget it.
  template <typename Keys>
  void AwaitForgotten(const Keys& keys) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// What an owner says to have heard, in this life's generations; 0 if it cannot be told.
  uint64_t HeardThrough(const proto::RegisterObjectsRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AnyRegistering() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The client's segment of that name, or null.
  MountedSegment* FindOwn(const std::string& client_id, const std::string& segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unmount(MountedSegment& segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Removes all keys for which `matches`, which are those in which `pattern` is found.
  template <typename Matches>
  proto::RemoveManyResponse RemoveMatching(const std::string& pattern, Matches matches, bool force,
                                           uint32_t wait_milliseconds);
  using PendingOwners = google::protobuf::RepeatedPtrField<proto::PendingOwner>;
  /// Fills `pending` with the owners that have yet to forget one of these keys, each once.
  void ListPending(const std::vector<std::string>& keys, PendingOwners& pending)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Takes those off `pending` that have forgotten; waits for all, for so long at most.
  void AwaitPending(uint32_t milliseconds, PendingOwners& pending)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MasterOptions options_;
  const Clock& clock_;
  RemovalLog* const log_;
  const std::string epoch_;
  const TimePoint recovers_until_;

  mutable Mutex mutex_;
  uint64_t first_generation_ ABSL_GUARDED_BY(mutex_);  // of this life's removals
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool restored_ ABSL_GUARDED_BY(mutex_) = false;   // from a snapshot
  bool recovered_ ABSL_GUARDED_BY(mutex_) = false;  // as far as owners can tell
  CondVar registered_;
  SegmentTable segments_ ABSL_GUARDED_BY(mutex_);
  ClientTable clients_ ABSL_GUARDED_BY(mutex_);
  ObjectCatalog catalog_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store
