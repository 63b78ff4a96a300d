#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "store/master/extent_allocator.h"
#include "store/master/object.h"
#include "store/proto/error_code.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// A client's memory in the pool.
struct MountedSegment {
  explicit MountedSegment(const proto::Segment& granted)
      : description(granted), extents(granted.size()) {}

  const proto::Segment description;  ///< With the size that was granted.
  std::string boot_id;
  ExtentAllocator extents;
  absl::flat_hash_map<uint64_t, Object*>
      occupants;  ///< Objects with a replica here, by generation.
  /// Until then nothing new is placed here: the owner has yet to register what it holds.
  TimePoint closed_until = TimePoint::min();

  const std::string& name() const { return description.name(); }
  const std::string& owner() const { return description.client_id(); }
};

/// The segments of the pool. Not synchronised.
class SegmentTable {
 public:
  struct Grant {
    ErrorCode code = kOk;
    uint64_t bytes = 0;
    std::string reason;  ///< Why less than was asked for, or why nothing.
  };

  /// Mounts a segment, or finds it mounted by the same client already. All segments of a host (one
  /// boot id) stay within the budget that the request names, except for one that is mounted
  /// `exact`: its memory is taken already. What exceeds the rest of the budget is lowered to half
  /// of that rest, so that the next instance gets some as well.
  Grant Mount(const proto::MountSegmentRequest& request);

  /// The caller has taken every object off it.
  void Unmount(const std::string& name);

  MountedSegment* Find(const std::string& name) const;
  std::vector<MountedSegment*> OwnedBy(const std::string& client_id) const;
  /// All, by name.
  std::vector<MountedSegment*> All() const;

  uint64_t capacity() const { return capacity_; }
  uint64_t used() const;
  /// Bytes of the largest segment.
  uint64_t largest() const;

 private:
  Grant FindGrant(const proto::MountSegmentRequest& request) const;

  absl::btree_map<std::string, std::unique_ptr<MountedSegment>> by_name_;
  uint64_t capacity_ = 0;
};

}  // namespace tandem::store
