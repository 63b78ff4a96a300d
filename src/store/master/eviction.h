#pragma once

#include "store/master/object.h"

namespace tandem::store {

/// Complete objects in order of their last use, so that choosing what to evict costs O(1) however
/// many objects there are. Objects with a lease stand in lists of their own: as every lease lasts
/// equally long, the head of such a list is the first to be free of it. Hard-pinned objects are
/// never listed. Not synchronised.
class EvictionOrder {
 public:
  explicit EvictionOrder(Duration soft_pin_ttl) : soft_pin_ttl_(soft_pin_ttl) {}

  /// Lists an object as the last used.
  void Add(Object& object, TimePoint now);
  /// Marks a listed object as the last used, with a lease until `lease_until`.
  void Lease(Object& object, TimePoint now, TimePoint lease_until);
  void Remove(Object& object);

  /// The least recently used object without a lease, or null. Soft-pinned ones, whose pin lasts for
  /// soft_pin_ttl from their last use, only with `soft_pinned_too` and after all others.
  Object* Next(TimePoint now, bool soft_pinned_too);

 private:
  struct Lists {
    ObjectList free, leased;
  };
  static Object* Oldest(TimePoint now, Lists& lists);

  const Duration soft_pin_ttl_;
  Lists normal_, soft_pinned_;
};

}  // namespace tandem::store
