#include "store/etcd/leader_lookup.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"

namespace tandem::store {
namespace {

constexpr Duration kServes = std::chrono::milliseconds(100);

}  // namespace

std::string ClusterKey(const std::string& cluster_id, const std::string& name) {
  return fmt::format("mooncake-store/{}/{}", cluster_id, name);
}

LeaderLookup::LeaderLookup(std::vector<std::string> etcd_endpoints, std::string cluster_id)
    : cluster_id_(std::move(cluster_id)), etcd_(std::move(etcd_endpoints)) {}

absl::StatusOr<std::string> LeaderLookup::Find(TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    if (Clock::Real().Now() < answered_ + kServes) return answer_;
  }
  absl::StatusOr<std::string> answer = Ask(deadline);
  MutexLock lock(mutex_);
  answer_ = answer;
  answered_ = Clock::Real().Now();
  return answer;
}

absl::StatusOr<std::string> LeaderLookup::Ask(TimePoint deadline) {
  ASSIGN_OR_RETURN(std::optional<std::string> leader,
                   etcd_.Get(ClusterKey(cluster_id_, "leader"), deadline));
  if (leader.has_value()) return *std::move(leader);
  return absl::UnavailableError(fmt::format(
      "etcd knows no leader of the masters whose cluster_id is '{}'; MC_STORE_CLUSTER_ID of the "
      "environment sets it",
      cluster_id_));
}

}  // namespace tandem::store
