#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/mutex.h"
#include "store/master/master.h"
#include "store/proto/master_client.h"

namespace tandem::store::testing {

/// A master in this process that can go away, come back, and lose its memory on the way; shared by
/// the clients that connect to it. Counts calls. Safe for use by several threads.
class InProcessMaster {
 public:
  explicit InProcessMaster(const MasterOptions& options = {}) : options_(options) { Restart(); }

  /// A connection for one client, which must not outlive this.
  std::unique_ptr<MasterClient> Connect();

  /// From now on nobody is answered.
  void Stop() { SetMaster(nullptr); }

  /// Answers again, knowing nothing.
  void Restart() { SetMaster(NewMaster()); }
  /// Answers again, with these options, knowing what a snapshot tells.
  void RestartFromSnapshot(const MasterOptions& options) {
    proto::Snapshot snapshot;
    {
      MutexLock lock(mutex_);
      snapshot = master_->TakeSnapshot();
    }
    options_ = options;
    const std::shared_ptr<Master> master = NewMaster();
    master->Restore(snapshot);
    SetMaster(master);
  }

  /// As the master's maintenance does ten times a second.
  void Maintain() {
    MutexLock lock(mutex_);
    master_->Maintain();
    while (master_->ContinueEviction()) {
    }
  }

  /// Has the next `count` calls of a method fail, as if the network did.
  void FailNext(const std::string& method, int count) {
    MutexLock lock(mutex_);
    failures_[method] = count;
  }
  int failures_left(const std::string& method) {
    MutexLock lock(mutex_);
    return failures_[method];
  }

  /// For whom the last lookup or put was.
  std::string last_request_id() const {
    MutexLock lock(mutex_);
    return last_request_id_;
  }

  /// How often any client called anything but Ping and Offload.
  int calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

 private:
  class Connection;

  std::shared_ptr<Master> NewMaster() {
    MasterOptions options = options_;
    options.first_generation = next_generation_;
    next_generation_ += 1'000'000;
    return std::make_shared<Master>(options, metrics_, Clock::Real());
  }
  void SetMaster(std::shared_ptr<Master> master) {
    MutexLock lock(mutex_);
    if (master_ != nullptr) master_->StopWaiting();
    master_ = std::move(master);
  }
  bool TakeFailure(const std::string& method) {
    MutexLock lock(mutex_);
    return failures_[method] > 0 && failures_[method]-- > 0;
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Response (Master::*method)(const Request&), const Request& request,
                                bool counted = true) {
    std::shared_ptr<Master> master;
    {
      MutexLock lock(mutex_);
      if (counted) ++calls_;
      if constexpr (requires { request.request_id(); }) last_request_id_ = request.request_id();
      master = master_;
    }
    if (master == nullptr) return absl::UnavailableError("nothing answers at the test's master");
    return ((*master).*method)(request);
  }

  MasterOptions options_;  // of the test's thread
  MetricRegistry registry_;
  MasterMetrics metrics_{registry_};
  uint64_t next_generation_ = 1'000'000;
  mutable Mutex mutex_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string last_request_id_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> failures_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Master> master_ ABSL_GUARDED_BY(mutex_);
};

class InProcessMaster::Connection : public MasterClient {
 public:
  explicit Connection(InProcessMaster& master) : master_(master) {}

#define TANDEM_FORWARD(method, request_type, response_type)                                  \
  absl::StatusOr<proto::response_type> method(const proto::request_type& request, TimePoint) \
      override {                                                                             \
    if (master_.TakeFailure(#method)) return absl::UnavailableError("this call fails");      \
    return master_.Call(&Master::method, request);                                           \
  }
  TANDEM_FORWARD(MountSegment, MountSegmentRequest, MountSegmentResponse)
  TANDEM_FORWARD(UnmountSegment, UnmountSegmentRequest, UnmountSegmentResponse)
  TANDEM_FORWARD(RegisterObjects, RegisterObjectsRequest, RegisterObjectsResponse)
  TANDEM_FORWARD(PutStart, PutStartRequest, PutStartResponse)
  TANDEM_FORWARD(PutEnd, PutEndRequest, ResultsResponse)
  TANDEM_FORWARD(PutRevoke, PutRevokeRequest, ResultsResponse)
  TANDEM_FORWARD(GetReplicas, GetReplicasRequest, GetReplicasResponse)
  TANDEM_FORWARD(Exist, KeysRequest, ExistResponse)
  TANDEM_FORWARD(Remove, RemoveRequest, RemoveResponse)
  TANDEM_FORWARD(RemoveByRegex, RemoveByRegexRequest, RemoveManyResponse)
  TANDEM_FORWARD(RemoveAll, RemoveAllRequest, RemoveManyResponse)
  TANDEM_FORWARD(ConfirmRemovals, ConfirmRemovalsRequest, ConfirmRemovalsResponse)
  TANDEM_FORWARD(ReportLostReplicas, ReportLostReplicasRequest, ResultsResponse)
  TANDEM_FORWARD(ListKeys, ListKeysRequest, ListKeysResponse)
  TANDEM_FORWARD(ListSegments, ListSegmentsRequest, ListSegmentsResponse)
#undef TANDEM_FORWARD

  absl::StatusOr<proto::PingResponse> Ping(const proto::PingRequest& request, TimePoint) override {
    return master_.Call(&Master::Ping, request, /*counted=*/false);
  }
  absl::StatusOr<proto::OffloadResponse> Offload(const proto::OffloadRequest& request,
                                                 TimePoint) override {
    if (master_.TakeFailure("Offload")) return absl::UnavailableError("this call fails");
    return master_.Call(&Master::Offload, request, /*counted=*/false);
  }

 private:
  InProcessMaster& master_;
};

inline std::unique_ptr<MasterClient> InProcessMaster::Connect() {
  return std::make_unique<Connection>(*this);
}

}  // namespace tandem::store::testing
