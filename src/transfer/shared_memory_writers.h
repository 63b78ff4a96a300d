#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "transfer/shared_memory_writer.h"

namespace tandem::transfer {

/// A process's connections to write into one segment of another: as many as write at once, up to a
/// few, each made when it is first wanted. Safe for use by several threads.
class SharedMemoryWriters {
 public:
  /// Makes the first connection. Errors are those of SharedMemoryWriter::Connect.
  static absl::StatusOr<std::unique_ptr<SharedMemoryWriters>> Connect(
      const std::string& socket_name, TimePoint deadline);

  /// As SharedMemoryWriter's, over a connection that is idle; where all are busy, calls take turns.
  std::vector<absl::StatusOr<uint64_t>> Write(std::span<const StagedWrite> writes,
                                              TimePoint deadline, Duration silence,
                                              bool beside_others = false);

  /// Whether one of them has ended: the owner has gone, or is silent.
  bool broken() const;

 private:
  explicit SharedMemoryWriters(std::string socket_name) : socket_name_(std::move(socket_name)) {}

  absl::StatusOr<std::unique_ptr<SharedMemoryWriter>> Take(TimePoint deadline, Duration silence);
  void GiveBack(std::unique_ptr<SharedMemoryWriter> writer);

  const std::string socket_name_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::unique_ptr<SharedMemoryWriter>> idle_ ABSL_GUARDED_BY(mutex_);
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace tandem::transfer
