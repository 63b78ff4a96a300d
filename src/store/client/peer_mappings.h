#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "transfer/shared_memory_peer.h"
#include "transfer/shared_memory_writers.h"

namespace tandem::store {

/// The ways to other processes' segments on this host: a mapping to read each, and connections to
/// write over. Safe for use by several threads.
class PeerMappings {
 public:
  /// The mapping of the segment behind a socket, made when first asked for and again after the
  /// connection broke.
  absl::StatusOr<std::shared_ptr<transfer::SharedMemoryPeer>> Get(const std::string& socket_name,
                                                                  TimePoint deadline);

  /// Likewise the connections to write over.
  absl::StatusOr<std::shared_ptr<transfer::SharedMemoryWriters>> Writers(
      const std::string& socket_name, TimePoint deadline);

  /// Tells owners what has been let go; drops the mappings of owners that are gone.
  void Tidy();

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<transfer::SharedMemoryPeer>> peers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<transfer::SharedMemoryWriters>> writers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::store
