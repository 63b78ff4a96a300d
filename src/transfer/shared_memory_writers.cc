#include "transfer/shared_memory_writers.h"

#include <algorithm>

#include "base/checksummed_copy.h"
#include "base/status.h"

namespace tandem::transfer {

absl::StatusOr<std::unique_ptr<SharedMemoryWriters>> SharedMemoryWriters::Connect(
    const std::string& socket_name, TimePoint deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<SharedMemoryWriter> first,
                   SharedMemoryWriter::Connect(socket_name, deadline));
  std::unique_ptr<SharedMemoryWriters> writers(new SharedMemoryWriters(socket_name));
  MutexLock lock(writers->mutex_);
  writers->made_ = 1;
  writers->idle_.push_back(std::move(first));
  return writers;
}

std::vector<absl::StatusOr<uint64_t>> SharedMemoryWriters::Write(
    std::span<const StagedWrite> writes, TimePoint deadline, Duration silence, bool beside_others) {
  auto writer = Take(deadline, silence);
  if (!writer.ok()) {
    return std::vector<absl::StatusOr<uint64_t>>(writes.size(), writer.status());
  }
  auto results = (*writer)->Write(writes, deadline, silence, beside_others);
  GiveBack(*std::move(writer));
  return results;
}

absl::StatusOr<std::unique_ptr<SharedMemoryWriter>> SharedMemoryWriters::Take(TimePoint deadline,
                                                                              Duration silence) {
  {
    MutexLock lock(mutex_);
    const bool free = changed_.WaitUntil(mutex_, deadline, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return broken_ || !idle_.empty() || made_ < kMostCopyThreads;
    });
    if (!free) {
      return absl::DeadlineExceededError("other writes to the segment's owner did not end");
    }
    if (broken_) return absl::UnavailableError("the connection to a segment's owner is broken");
    if (!idle_.empty()) {
      // The one whose memory is most likely in a cache.
      std::unique_ptr<SharedMemoryWriter> writer = std::move(idle_.back());
      idle_.pop_back();
      return writer;
    }
    ++made_;
  }
  auto made =
      SharedMemoryWriter::Connect(socket_name_, std::min(deadline, Clock::Real().Now() + silence));
  if (!made.ok()) GiveBack(nullptr);
  return made;
}

void SharedMemoryWriters::GiveBack(std::unique_ptr<SharedMemoryWriter> writer) {
  MutexLock lock(mutex_);
  if (writer != nullptr && !writer->broken()) {
    idle_.push_back(std::move(writer));
  } else {
    --made_;
    broken_ = true;
  }
  changed_.NotifyAll();
}

bool SharedMemoryWriters::broken() const {
  MutexLock lock(mutex_);
  return broken_;
}

}  // namespace tandem::transfer
