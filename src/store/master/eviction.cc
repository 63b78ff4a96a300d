#include "store/master/eviction.h"

namespace tandem::store {

void EvictionOrder::Add(Object& object, TimePoint now) {
  object.last_used = now;
  if (object.hard_pin) return;
  ObjectList& list = (object.soft_pin ? soft_pinned_ : normal_).free;
  object.position = list.insert(list.end(), &object);
  object.recency = &list;
}

void EvictionOrder::Lease(Object& object, TimePoint now, TimePoint lease_until) {
  object.last_used = now;
  object.lease.Extend(lease_until);
  if (object.hard_pin) return;
  ObjectList& list = (object.soft_pin ? soft_pinned_ : normal_).leased;
  list.splice(list.end(), *object.recency, object.position);
  object.recency = &list;
}

void EvictionOrder::Remove(Object& object) {
  if (object.recency == nullptr) return;
  object.recency->erase(object.position);
  object.recency = nullptr;
}

Object* EvictionOrder::Oldest(TimePoint now, Lists& lists) {
  Object* free = lists.free.empty() ? nullptr : lists.free.front();
  Object* leased = lists.leased.empty() ? nullptr : lists.leased.front();
  if (leased == nullptr || leased->lease.active(now)) return free;
  if (free == nullptr || leased->last_used < free->last_used) return leased;
  return free;
}

Object* EvictionOrder::Next(TimePoint now, bool soft_pinned_too) {
  Object* normal = Oldest(now, normal_);
  Object* soft = Oldest(now, soft_pinned_);
  if (soft == nullptr) return normal;
  const bool pin_lasts = now < soft->last_used + soft_pin_ttl_;
  if (pin_lasts) return normal != nullptr || !soft_pinned_too ? normal : soft;
  return normal == nullptr || soft->last_used < normal->last_used ? soft : normal;
}

}  // namespace tandem::store
