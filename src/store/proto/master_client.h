#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/security.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// The master as its clients see it. Safe for use by several threads. Every call ends by
/// `deadline`: Unavailable when the master cannot be reached, DeadlineExceeded when it does not
/// answer, Unauthenticated when it wants another token. Errors of single keys are codes inside the
/// response (error_code.h).
class MasterClient {
 public:
  virtual ~MasterClient() = default;

  virtual absl::StatusOr<proto::MountSegmentResponse> MountSegment(
      const proto::MountSegmentRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::UnmountSegmentResponse> UnmountSegment(
      const proto::UnmountSegmentRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::PingResponse> Ping(const proto::PingRequest& request,
                                                   TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::RegisterObjectsResponse> RegisterObjects(
      const proto::RegisterObjectsRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::OffloadResponse> Offload(const proto::OffloadRequest& request,
                                                         TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::PutStartResponse> PutStart(const proto::PutStartRequest& request,
                                                           TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ResultsResponse> PutEnd(const proto::PutEndRequest& request,
                                                        TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ResultsResponse> PutRevoke(const proto::PutRevokeRequest& request,
                                                           TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::GetReplicasResponse> GetReplicas(
      const proto::GetReplicasRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ExistResponse> Exist(const proto::KeysRequest& request,
                                                     TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::RemoveResponse> Remove(const proto::RemoveRequest& request,
                                                       TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::RemoveManyResponse> RemoveByRegex(
      const proto::RemoveByRegexRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::RemoveManyResponse> RemoveAll(
      const proto::RemoveAllRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ConfirmRemovalsResponse> ConfirmRemovals(
      const proto::ConfirmRemovalsRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ResultsResponse> ReportLostReplicas(
      const proto::ReportLostReplicasRequest& request, TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ListKeysResponse> ListKeys(const proto::ListKeysRequest& request,
                                                           TimePoint deadline) = 0;
  virtual absl::StatusOr<proto::ListSegmentsResponse> ListSegments(
      const proto::ListSegmentsRequest& request, TimePoint deadline) = 0;

  /// A client over gRPC of the master at "host:port", or of several, separated by commas, of which
  /// one leads: it follows the leader. Connects on first use and again after a loss; with TLS only
  /// to a master with a certificate, for the host of its address, of the CA. InvalidArgument names
  /// the address, or the option of TLS that is wrong.
  static absl::StatusOr<std::unique_ptr<MasterClient>> Connect(const std::string& address,
                                                               const Security& security = {});

  /// Tells the "host:port" of the master that leads; Unavailable if none does. Called by several
  /// threads.
  using FindLeader = std::function<absl::StatusOr<std::string>(TimePoint deadline)>;
  /// The same of masters that are not known before: the one that leads is looked for at first, and
  /// when it does not answer.
  static absl::StatusOr<std::unique_ptr<MasterClient>> Follow(FindLeader find,
                                                              const Security& security = {});
};

}  // namespace tandem::store
