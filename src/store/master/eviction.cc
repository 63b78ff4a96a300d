#include "store/master/eviction.h"

#include <initializer_list>

namespace tandem::store {

void EvictionOrder::Unlist(Object& object) {
  const Lists& lists = ListsOf(object);
  if (object.list == &lists.queued || object.list == &lists.settled) ahead_bytes_ -= object.size;
  object.list->Remove(object);
}

void EvictionOrder::Add(Object& object, TimePoint now) {
  object.last_used = now;
  if (object.hard_pin) return;
  ListsOf(object).free.Append(object);
}

void EvictionOrder::Lease(Object& object, TimePoint now, TimePoint lease_until) {
  Extend(object, now, lease_until, &Lists::leased);
}

void EvictionOrder::Hold(Object& object, TimePoint now, TimePoint lease_until) {
  Extend(object, now, lease_until, &Lists::held);
}

void EvictionOrder::Extend(Object& object, TimePoint now, TimePoint lease_until,
                           ObjectList Lists::*list) {
  object.last_used = now;
  // A lease that ends later keeps its place in the order of ends.
  const bool keeps_place = IsLeased(object) && object.lease.until() > lease_until;
  object.lease.Extend(lease_until);
  if (object.list == nullptr || keeps_place) return;
  Unlist(object);
  (ListsOf(object).*list).Append(object);
}

bool EvictionOrder::IsLeased(const Object& object) {
  const Lists& lists = ListsOf(object);
  return object.list == &lists.leased || object.list == &lists.held;
}

void EvictionOrder::Remove(Object& object) {
  if (object.list != nullptr && object.state == Object::State::kComplete) Unlist(object);
}

void EvictionOrder::Queue(Object& object) {
  Unlist(object);
  ListsOf(object).queued.Append(object);
  ahead_bytes_ += object.size;
}

void EvictionOrder::Settle(Object& object, TimePoint now) {
  if (object.lease.active(now) && IsLeased(object)) return;
  if (object.list != nullptr) Unlist(object);
  // It may be a holder's. Those last longest, so that it keeps nobody in that list waiting.
  if (object.lease.active(now)) return ListsOf(object).held.Append(object);
  ListsOf(object).settled.Append(object);
  ahead_bytes_ += object.size;
}

Object* EvictionOrder::Oldest(TimePoint now, Lists& lists, Among among) {
  const bool undecided = among != Among::kSettled;
  const auto if_ended = [now](Object* object) {
    return object != nullptr && !object->lease.active(now) ? object : nullptr;
  };
  Object* oldest = nullptr;
  for (Object* head : {undecided ? lists.free.front() : nullptr,
                       undecided ? if_ended(lists.leased.front()) : nullptr,
                       undecided ? if_ended(lists.held.front()) : nullptr,
                       among == Among::kAll ? lists.queued.front() : nullptr,
                       among != Among::kUndecided ? lists.settled.front() : nullptr}) {
    if (head == nullptr) continue;
    if (oldest == nullptr || head->last_used < oldest->last_used) oldest = head;
  }
  return oldest;
}

Object* EvictionOrder::Next(TimePoint now, bool soft_pinned_too, Among among) {
  Object* normal = Oldest(now, normal_, among);
  Object* soft = Oldest(now, soft_pinned_, among);
  if (soft == nullptr) return normal;
  const bool pin_lasts = now < soft->last_used + soft_pin_ttl_;
  if (pin_lasts) return normal != nullptr || !soft_pinned_too ? normal : soft;
  return normal == nullptr || soft->last_used < normal->last_used ? soft : normal;
}

}  // namespace tandem::store
