#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/client.h"
#include "proxy/instance_pool.h"

namespace tandem::proxy {

/// Asks every instance for its health again and again, and for its version and models while its
/// make is not known or it is none, so that the pools know who is up. It runs a thread of its own.
/// A failed probe keeps new requests away from an instance; requests in flight are left alone
/// unless the instance stands still: it answers no probe and they are silent, for the whole
/// patience.
class HealthProber {
 public:
  struct Times {
    Duration interval;
    Duration timeout;   ///< Of one probe.
    Duration patience;  ///< With an instance that stands still.
  };
  /// The pools and the client must outlive the prober.
  HealthProber(InstancePool& prefillers, InstancePool& decoders, http::Client& client,
               const Times& times);
  ~HealthProber();

 private:
  struct Probe {
    Mutex mutex;
    bool pending ABSL_GUARDED_BY(mutex) = false;  // Under way: no instance gets a second one.
    bool healthy ABSL_GUARDED_BY(mutex) = false;  // The last one was answered with 200.
    int silences ABSL_GUARDED_BY(mutex) = 0;      // Probes in a row that had no reply in time.
  };

  using Probes = std::vector<std::shared_ptr<Probe>>;  // By instance.

  void Run();
  void ProbeAll(InstancePool& pool, const Probes& probes);
  void ProbeHealth(InstancePool& pool, int instance, const std::shared_ptr<Probe>& probe);
  void ProbeMake(InstancePool& pool, int instance);

  InstancePool& prefillers_;
  InstancePool& decoders_;
  http::Client& client_;
  const Times times_;
  std::vector<Probes> probes_;  // Of prefillers, then of decoders.

  Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::proxy
