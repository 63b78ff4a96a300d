#pragma once

#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/client/disk_tier.h"
#include "store/client/segment_owner.h"
#include "store/proto/master_client.h"

namespace tandem::store {

/// Writes objects to this process's disk as the master asks for it. A thread takes one batch after
/// the other and tells what became of the last one; without a disk there is none.
class Offloader {
 public:
  struct Options {
    std::string client_id;
    std::string segment;
    Duration call_timeout;
    Duration poll_interval = std::chrono::seconds(1);  ///< That a call waits at the master.
    Duration retry_interval = std::chrono::milliseconds(200);
  };
  /// All outlive it.
  Offloader(Options options, MasterClient& master, SegmentOwner& owner, DiskTier& disk)
      : options_(std::move(options)), master_(master), owner_(owner), disk_(disk) {}
  ~Offloader();

  /// The master wants objects on disk: opens it, and starts the thread. Once; later calls change
  /// nothing.
  void Start(const proto::Offload& where);
  /// Has the thread end soon.
  void Stop();

 private:
  void Run();
  /// One round: reports, takes a batch and stores it. Returns after how long the next is due.
  Duration Round();
  void Store(const proto::OffloadResponse& batch);
  bool Pause(Duration time);

  const Options options_;
  MasterClient& master_;
  SegmentOwner& owner_;
  DiskTier& disk_;
  proto::OffloadRequest report_;  // of the thread: what the master has not been told yet

  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace tandem::store
