#pragma once

#include "store/master/object_list.h"

namespace tandem::store {

/// Complete objects in order of their last use, so that choosing what to evict costs O(1) however
/// many objects there are. Objects with a lease stand in lists of their own, one for leases of
/// lookups and one for those of holders: as all leases of a list last equally long, its head is the
/// first to be free of it. So do those whose way to disk has begun, or is over, as they would
/// otherwise be looked at again and again by whoever searches for the next to go there. Hard-pinned
/// objects and those without memory are never listed. Not synchronised.
class EvictionOrder {
 public:
  explicit EvictionOrder(Duration soft_pin_ttl) : soft_pin_ttl_(soft_pin_ttl) {}

  /// Lists an object as the last used.
  void Add(Object& object, TimePoint now);
  /// Marks an object as the last used, with a lease until `lease_until`: as long after `now` in all
  /// calls.
  void Lease(Object& object, TimePoint now, TimePoint lease_until);
  /// The same for one that a reader holds, with a duration of its own, no shorter than Lease's.
  void Hold(Object& object, TimePoint now, TimePoint lease_until);
  void Remove(Object& object);

  /// A listed object waits for its owner to store it.
  void Queue(Object& object);
  /// Storing it has ended, or there is no disk for it: it may be evicted. It may be listed or not.
  void Settle(Object& object, TimePoint now);

  /// Which objects are looked at.
  enum class Among { kAll, kSettled, kUndecided /**< Neither queued nor settled. */ };
  /// The least recently used object without a lease, or null. Soft-pinned ones, whose pin lasts for
  /// soft_pin_ttl from their last use, only with `soft_pinned_too` and after all others.
  Object* Next(TimePoint now, bool soft_pinned_too, Among among = Among::kAll);

  /// Bytes of the objects that are queued or settled, each counted once.
  uint64_t ahead_bytes() const { return ahead_bytes_; }

 private:
  struct Lists {
    ObjectList free, leased, held, queued, settled;
  };
  static Object* Oldest(TimePoint now, Lists& lists, Among among);
  Lists& ListsOf(const Object& object) { return object.soft_pin ? soft_pinned_ : normal_; }
  bool IsLeased(const Object& object);
  void Unlist(Object& object);
  void Extend(Object& object, TimePoint now, TimePoint lease_until, ObjectList Lists::*list);

  const Duration soft_pin_ttl_;
  Lists normal_, soft_pinned_;
  uint64_t ahead_bytes_ = 0;
};

}  // namespace tandem::store
