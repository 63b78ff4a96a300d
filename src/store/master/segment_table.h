#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "store/master/extent_allocator.h"
#include "store/master/object.h"
#include "store/master/segment_grants.h"
#include "store/proto/error_code.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// A client's memory in the pool.
struct MountedSegment {
  explicit MountedSegment(const proto::Segment& granted)
      : description(granted), extents(granted.size()) {}

  const proto::Segment description;  ///< With the size that was granted.
  std::string boot_id;
  SegmentGrants grants;
  ExtentAllocator extents;
  absl::flat_hash_map<uint64_t, Object*>
      occupants;  ///< Objects with a replica here, by generation.
  /// Of these, those that only a snapshot says are here; the owner's registration decides.
  absl::flat_hash_set<uint64_t> unconfirmed;
  /// Space of objects that were removed while readers had a lease, by generation: it stays taken
  /// until the owner says that nobody holds it any more.
  struct Extent {
    uint64_t offset;
    uint64_t length;
  };
  absl::flat_hash_map<uint64_t, Extent> lingering;
  /// Objects that the owner's disk holds, by the generation they were written from; their bytes.
  absl::flat_hash_map<uint64_t, Object*> stored;
  uint64_t stored_bytes = 0;
  bool has_disk = false;                          ///< The owner asks for objects to store.
  TimePoint opens_disk_until = TimePoint::min();  ///< Until then it may yet begin to.
  std::deque<uint64_t> to_store;     ///< Generations; of those that were not given up since.
  std::vector<uint64_t> handed_out;  ///< That the owner is at, in the order of their last use.
  /// Until then nothing new is placed here: the owner has yet to register what it holds.
  TimePoint closed_until = TimePoint::min();
  /// Whether that owner lives, or did so before the master was started, and is about to.
  bool registering = false;

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
  /// What owners have on disk: copies of objects, and their bytes.
  size_t stored_count() const;
  uint64_t stored_bytes() const;
  /// Share of the free bytes that lie outside their segment's largest free range: 0 while each
  /// segment's free memory is in one piece.
  double fragmentation() const;
  /// Bytes of the largest segment.
  uint64_t largest() const;

 private:
  Grant FindGrant(const proto::MountSegmentRequest& request) const;

  absl::btree_map<std::string, std::unique_ptr<MountedSegment>> by_name_;
  uint64_t capacity_ = 0;
};

}  // namespace tandem::store
