#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "store/master/master.h"

namespace tandem::store {

/// A master under a clock that tests move, with calls that read as what a client does.
class Pool {
 public:
  explicit Pool(const MasterOptions& options = {}, RemovalLog* log = nullptr);

  /// Mounts a segment called `name` of a client of the same name.
  proto::MountSegmentResponse Mount(const std::string& name, uint64_t bytes, bool exact = false);
  proto::PingResponse Ping(const std::string& client, uint64_t forgotten_through = 0,
                           const std::vector<uint64_t>& held_generations = {});

  proto::PutStartResult Start(const std::string& writer, const std::string& key, uint64_t size,
                              const proto::ReplicateConfig& config = {});
  /// Ends or revokes what Start returned.
  int End(const std::string& writer, const std::string& key, const proto::PutStartResult& started,
          uint64_t checksum = 7);
  int Revoke(const std::string& writer, const std::string& key,
             const proto::PutStartResult& started);
  /// Start and End; returns the first code that is not kOk.
  int Put(const std::string& writer, const std::string& key, uint64_t size,
          const proto::ReplicateConfig& config = {});

  proto::GetReplicasResult Get(const std::string& key, bool without_lease = false);
  bool Exists(const std::string& key);
  int Remove(const std::string& key, bool force = false);
  /// Reports the first replica as unreadable.
  int Lose(const std::string& key, const proto::Extent& extent);
  std::vector<std::string> Keys();
  /// Registers objects as `client`, who has heard what a ping's answer said; the keys that were
  /// refused.
  std::vector<std::string> Register(const std::string& client,
                                    const std::vector<proto::HeldObject>& held,
                                    bool complete = true, const proto::PingResponse& heard = {});

  /// Moves the clock in steps of a second, with every client of `pinging` pinging, and maintains.
  void Pass(Duration time, const std::vector<std::string>& pinging = {});

  FakeClock clock;
  MetricRegistry registry;
  MasterMetrics metrics{registry};
  Master master;
};

/// What an owner's directory holds of a found object.
proto::HeldObject Held(const std::string& key, const proto::GetReplicasResult& found);

}  // namespace tandem::store
