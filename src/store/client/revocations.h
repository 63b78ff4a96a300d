#pragma once

#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// Puts that were given up, on their way to the master: whoever lets go of a reservation does not
/// wait for the network. A thread sends them, and sends them again while the master is away. Safe
/// for use by several threads.
class Revocations {
 public:
  struct Options {
    std::string client_id;
    Duration call_timeout;
    Duration retry_interval = std::chrono::milliseconds(200);
  };
  explicit Revocations(Options options) : options_(std::move(options)) {}
  ~Revocations() { Stop(); }

  /// Starts the thread. `master` must live until Stop.
  void Start(MasterClient& master);
  /// Ends the thread after a last attempt to send what there is; from then on nothing is sent, and
  /// the master frees the space of stale puts by itself.
  void Stop();

  void Add(proto::PutEndItem item);

 private:
  void Run(MasterClient& master);
  /// Returns whether the master answered.
  bool Send(MasterClient& master, std::vector<proto::PutEndItem>& items);

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<proto::PutEndItem> items_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tandem::store
