#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "store/etcd/etcd_client.h"

namespace tandem::store {

/// The key of etcd under which the masters of a cluster keep what `name` names: that of their
/// leader, whose value is its "host:port", is "leader".
std::string ClusterKey(const std::string& cluster_id, const std::string& name);

/// Finds the master that leads a cluster. Of many threads that look at the same time few ask etcd,
/// as answers serve for a tenth of a second. Safe for use by several threads.
class LeaderLookup {
 public:
  LeaderLookup(std::vector<std::string> etcd_endpoints, std::string cluster_id);

  /// The leader's "host:port". Unavailable if none leads at this moment, or etcd does not answer.
  absl::StatusOr<std::string> Find(TimePoint deadline);

 private:
  absl::StatusOr<std::string> Ask(TimePoint deadline);

  const std::string cluster_id_;
  EtcdClient etcd_;
  Mutex mutex_;
  absl::StatusOr<std::string> answer_ ABSL_GUARDED_BY(mutex_);
  TimePoint answered_ ABSL_GUARDED_BY(mutex_) = TimePoint::min();
};

}  // namespace tandem::store
