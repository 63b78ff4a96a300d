#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/piecewise_checksum.h"
#include "transfer/extent.h"

namespace tandem::store {

using transfer::Extent;
using transfer::HeldObject;

/// What an owner knows about its segment, range by range: who is writing, what is published, and
/// how many hold it open. It is the last word on who may touch which bytes: whatever the master
/// gave to whom, a range that is held is never written by another generation. It is also what the
/// owner registers after a master has lost its memory. Safe for use by several threads.
class ExtentDirectory {
 public:
  /// Holds an extent open for writing; the first call of a generation takes the place of older
  /// ones. FailedPrecondition if a newer generation overlaps it or it is published already;
  /// Unavailable while an older one is held.
  absl::Status HoldForWrite(const Extent& extent);

  /// Holds a published object open for reading. NotFound if it is not there in that generation.
  absl::Status HoldForRead(const Extent& extent);

  /// As HoldForRead, for whoever writes the object to disk: it counts as no reader in Held().
  absl::Status HoldForStore(const Extent& extent);

  /// Ends one hold.
  void Release(const Extent& extent);
  void ReleaseStore(const Extent& extent);

  /// The checksum to be of what arrives in an extent at `bytes`; null unless it is being written.
  std::shared_ptr<PiecewiseChecksum> Arriving(const Extent& extent,
                                              std::span<const std::byte> bytes);

  /// Makes an extent that was written readable. FailedPrecondition unless it is being written.
  absl::Status Publish(const HeldObject& object);

  /// Drops an extent in this generation, once nobody holds it any more; it cannot be opened again.
  void Forget(const Extent& extent);

  /// Generations of the objects that somebody holds, forgotten ones among them.
  std::vector<uint64_t> Held() const;
  bool IsPublished(const Extent& extent) const;
  /// Every published object.
  std::vector<HeldObject> Published() const;

 private:
  enum class State { kWriting, kPublished, kForgotten };
  struct Entry {
    Extent extent;
    State state = State::kWriting;
    int holds = 0;
    int stores = 0;  // of the holds
    HeldObject object;
    std::shared_ptr<PiecewiseChecksum> arriving;
  };
  using Entries = std::map<uint64_t, Entry>;  // by offset; never overlapping

  Entries::iterator Find(const Extent& extent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::iterator FirstOverlap(const Extent& extent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Entries::iterator> FindPublished(const Extent& extent)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::unordered_set<uint64_t> held_ ABSL_GUARDED_BY(mutex_);  // with holds other than to store
};

}  // namespace tandem::store
