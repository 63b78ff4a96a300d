#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http/client.h"
#include "proxy/instance_pool.h"

namespace tandem::proxy {

/// Asks every instance for its health again and again, and for its version when it has not told its
/// namespace, so that the pools know who is up. It runs a thread of its own. A failed probe keeps
/// new requests away from an instance; streams in flight are left alone.
class HealthProber {
 public:
  /// The pools and the client must outlive the prober.
  HealthProber(std::vector<InstancePool*> pools, http::Client& client, Duration interval,
               Duration prefill_patience);
  ~HealthProber();

 private:
  struct Probe {
    Mutex mutex;
    bool pending ABSL_GUARDED_BY(mutex) = false;  // Under way: no instance gets a second one.
    int silences ABSL_GUARDED_BY(mutex) = 0;      // Probes in a row that had no reply in time.
  };

  void Run();
  void ProbeHealth(InstancePool& pool, int instance, const std::shared_ptr<Probe>& probe);
  void ProbeVersion(InstancePool& pool, int instance);

  const std::vector<InstancePool*> pools_;
  http::Client& client_;
  const Duration interval_;
  const Duration prefill_patience_;
  std::vector<std::vector<std::shared_ptr<Probe>>> probes_;  // By pool and instance.

  Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::proxy
