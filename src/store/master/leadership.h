#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "store/etcd/etcd_client.h"

namespace tandem::store {

/// One of several masters' part in choosing which of them serves: the one whose key stands in etcd,
/// bound to a lease that it renews. A thread campaigns, renews, and gives up in time: whoever does
/// not lead any more knows it before another can. Safe for use by several threads.
class Leadership {
 public:
  struct Options {
    std::vector<std::string> etcd_endpoints;
    std::string cluster_id;  ///< Masters of one cluster choose among themselves.
    std::string address;     ///< Of this master, unique in the cluster.
    int64_t lease_seconds = 5;
  };
  /// Called by the thread. `on_elected` is given a generation above all that earlier leaders gave
  /// out; `on_lost` follows before the lease ends, and at Stop.
  struct Callbacks {
    std::function<void(uint64_t first_generation)> on_elected;
    std::function<void()> on_lost;
  };
  Leadership(Options options, Callbacks callbacks);
  /// Gives the lead up, so that another takes over at once.
  ~Leadership();

  /// Starts to campaign.
  void Start();

  /// Whether this master leads at this moment.
  bool leads() const;
  /// Address of the leader that was seen last; empty for none.
  std::string leader() const;

 private:
  void Run();
  /// One attempt; returns whether it was elected.
  absl::StatusOr<bool> Campaign();
  /// Takes generations for this lead out of those of the cluster.
  absl::StatusOr<uint64_t> ReserveGenerations(TimePoint deadline);
  void Lead();
  bool Pause(Duration pause);
  void SetLead(TimePoint until, const std::string& leader);
  std::string Key(const char* name) const;

  const Options options_;
  const Callbacks callbacks_;
  EtcdClient etcd_;
  EtcdClient::Lease lease_;        // of the thread
  uint64_t first_generation_ = 0;  // likewise

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  TimePoint leads_until_ ABSL_GUARDED_BY(mutex_) = TimePoint::min();
  std::string leader_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tandem::store
