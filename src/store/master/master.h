#pragma once

#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/master/client_table.h"
#include "store/master/master_metrics.h"
#include "store/master/master_options.h"
#include "store/master/object_catalog.h"
#include "store/master/segment_table.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// The store's metadata: which segments there are and where objects lie. It places bytes and never
/// touches them. Independent of how calls arrive; the meaning of each call stands in store.proto.
/// Safe for use by several threads. Time passes only by its clock and with Maintain().
class Master {
 public:
  /// `metrics` and `clock` must outlive this.
  Master(const MasterOptions& options, MasterMetrics& metrics, const Clock& clock);

  proto::MountSegmentResponse MountSegment(const proto::MountSegmentRequest& request);
  proto::UnmountSegmentResponse UnmountSegment(const proto::UnmountSegmentRequest& request);
  proto::PingResponse Ping(const proto::PingRequest& request);
  proto::RegisterObjectsResponse RegisterObjects(const proto::RegisterObjectsRequest& request);
  proto::PutStartResponse PutStart(const proto::PutStartRequest& request);
  proto::ResultsResponse PutEnd(const proto::PutEndRequest& request);
  proto::ResultsResponse PutRevoke(const proto::PutRevokeRequest& request);
  proto::GetReplicasResponse GetReplicas(const proto::GetReplicasRequest& request);
  proto::ExistResponse Exist(const proto::KeysRequest& request);
  proto::ResultsResponse Remove(const proto::RemoveRequest& request);
  proto::RemoveManyResponse RemoveByRegex(const proto::RemoveByRegexRequest& request);
  proto::RemoveManyResponse RemoveAll(const proto::RemoveAllRequest& request);
  proto::ResultsResponse ReportLostReplicas(const proto::ReportLostReplicasRequest& request);
  /// Keys of complete objects in alphabetical order; a limit of 0 lists all.
  proto::ListKeysResponse ListKeys(const proto::ListKeysRequest& request);
  proto::ListSegmentsResponse ListSegments(const proto::ListSegmentsRequest& request);

  PoolUsage usage() const;

  /// Drops the segments of clients that have been silent for client_ttl and ends stale puts. To be
  /// called a few times a second.
  void Maintain();

 private:
  void Unmount(MountedSegment& segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Matches>
  int64_t RemoveMatching(Matches matches, bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MasterOptions options_;
  const Clock& clock_;
  const std::string epoch_;

  mutable Mutex mutex_;
  SegmentTable segments_ ABSL_GUARDED_BY(mutex_);
  ClientTable clients_ ABSL_GUARDED_BY(mutex_);
  ObjectCatalog catalog_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store
