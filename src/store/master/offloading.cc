#include "store/master/offloading.h"

#include <algorithm>
#include <utility>

namespace tandem::store {
namespace {

/// Takes a fraction of a millisecond, for which all other calls wait.
constexpr size_t kChosenAtOnce = 256;
/// So many evictions' worth of memory is on disk, or on its way, when one starts.
constexpr double kEvictionsAhead = 2;
/// A batch: large enough for a disk to run at full speed, small enough for removals, which wait for
/// it to end.
constexpr uint64_t kBatchBytes = uint64_t{32} << 20;
constexpr size_t kBatchObjects = 1024;
/// While it is stored a batch cannot be evicted: not more than this share of a segment.
constexpr uint64_t kBatchShare = 8;

}  // namespace

const Replica* Offloading::Storable(const Object& object) const {
  for (const Replica& replica : object.replicas) {
    if (!replica.on_disk() && replica.segment->has_disk &&
        !replica.segment->unconfirmed.contains(replica.generation) &&
        !clients_.AwaitsRemoval(replica.segment->owner(), replica.generation, /*on_disk=*/true)) {
      return &replica;
    }
  }
  return nullptr;
}

bool Offloading::MayGetDisk(const Object& object, TimePoint now) const {
  return std::any_of(object.replicas.begin(), object.replicas.end(), [&](const Replica& replica) {
    return !replica.segment->has_disk && now < replica.segment->opens_disk_until;
  });
}

void Offloading::Choose(TimePoint now) {
  if (!enabled()) return;
  const double share = std::max(
      0.0, options_.eviction_high_watermark_ratio - kEvictionsAhead * options_.eviction_ratio);
  const double wanted = double(segments_.used()) - share * double(segments_.capacity());
  for (size_t i = 0; i < kChosenAtOnce && double(order_.ahead_bytes()) < wanted; ++i) {
    Object* object = order_.Next(now, options_.allow_evict_soft_pinned_objects,
                                 EvictionOrder::Among::kUndecided);
    if (object == nullptr) return;
    const Replica* replica = object->on_disk() ? nullptr : Storable(*object);
    if (replica == nullptr) {
      if (!object->on_disk() && MayGetDisk(*object, now)) return;
      order_.Settle(*object, now);
      continue;
    }
    order_.Queue(*object);
    // It may have been used since it was queued, and be cold again.
    if (object->offload == Object::Offload::kQueued) continue;
    object->offload = Object::Offload::kQueued;
    replica->segment->to_store.push_back(replica->generation);
    clients_.Changed(replica->segment->owner())->NotifyAll();
  }
}

const std::vector<uint64_t>& Offloading::HandOut(MountedSegment& segment, TimePoint now) {
  const uint64_t most = std::min(kBatchBytes, segment.extents.size() / kBatchShare);
  uint64_t bytes = 0;
  while (!segment.to_store.empty() && segment.handed_out.size() < kBatchObjects) {
    const uint64_t generation = segment.to_store.front();
    const auto occupant = segment.occupants.find(generation);
    Object* object = occupant == segment.occupants.end() ? nullptr : occupant->second;
    if (object != nullptr && object->offload == Object::Offload::kQueued) {
      if (bytes > 0 && bytes + object->size > most) break;
      object->offload = Object::Offload::kNone;
      // What has been used since it was queued is not cold any more.
      if (!object->lease.active(now)) {
        bytes += object->size;
        object->offload = Object::Offload::kHandedOut;
        object->may_be_on_disk = true;
        order_.Remove(*object);
        segment.handed_out.push_back(generation);
      }
    }
    segment.to_store.pop_front();
  }
  return segment.handed_out;
}

void Offloading::TakeBack(MountedSegment& segment, TimePoint now) {
  for (const uint64_t generation : std::exchange(segment.handed_out, {})) {
    const auto occupant = segment.occupants.find(generation);
    if (occupant == segment.occupants.end()) continue;  // removed meanwhile
    Object& object = *occupant->second;
    if (!object.on_disk()) metrics_.offload_failed_keys.Increment();
    object.offload = Object::Offload::kNone;
    order_.Settle(object, now);
  }
}

}  // namespace tandem::store
