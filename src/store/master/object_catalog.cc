#include "store/master/object_catalog.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "store/master/object_key.h"

namespace tandem::store {
namespace {

// Takes a fraction of a millisecond, for which all other calls wait.
constexpr size_t kEvictedAtOnce = 64;

bool Names(const proto::PutEndItem& item, const Replica& replica) {
  return std::find(item.generations().begin(), item.generations().end(), replica.generation) !=
         item.generations().end();
}

bool NamesAny(const proto::PutEndItem& item, const Object& object) {
  return std::any_of(object.replicas.begin(), object.replicas.end(),
                     [&](const Replica& replica) { return Names(item, replica); });
}

bool IsAt(const Replica& replica, const MountedSegment& segment, uint64_t generation,
          bool on_disk) {
  return replica.segment == &segment && replica.generation == generation &&
         replica.on_disk() == on_disk;
}

uint64_t NewestGeneration(const Object& object) {
  uint64_t newest = 0;
  for (const Replica& replica : object.replicas) newest = std::max(newest, replica.generation);
  return newest;
}

}  // namespace

ObjectCatalog::ObjectCatalog(const MasterOptions& options, SegmentTable& segments,
                             ClientTable& clients, MasterMetrics& metrics)
    : options_(options),
      segments_(segments),
      clients_(clients),
      metrics_(metrics),
      eviction_order_(options.soft_pin_ttl),
      offloading_(options_, segments, clients, eviction_order_, metrics),
      placement_(options.allocation_strategy, options.random_seed),
      tombstones_(options.tombstones),
      next_generation_(options.first_generation),
      removals_below_(options.first_generation) {}

ErrorCode ObjectCatalog::StartPut(const PutRequest& request, TimePoint now, const Object** put) {
  if (!IsObjectKey(request.key) || request.size == 0) return kInvalidParams;
  if (Object* known = index_.Find(request.key)) {
    if (known->state == Object::State::kComplete) return kObjectExists;
    if (now - known->put->started < options_.put_start_discard_timeout) return kReplicaNotReady;
    index_.Discard(*known);
  }
  Replicas replicas = TakeSpace(request, now);
  if (replicas.empty()) {
    metrics_.allocation_failures.Increment();
    return kNoSpace;
  }
  auto object = std::make_unique<Object>();
  object->key = request.key;
  object->size = request.size;
  object->soft_pin = request.config.soft_pin();
  object->hard_pin = request.config.hard_pin();
  object->put = std::make_unique<Object::Put>(Object::Put{request.writer, now});
  object->replicas = std::move(replicas);
  Object& added = index_.Add(std::move(object));
  for (const Replica& replica : added.replicas) {
    replica.segment->occupants[replica.generation] = &added;
  }
  *put = &added;
  return kOk;
}

Replicas ObjectCatalog::TakeSpace(const PutRequest& request, TimePoint now) {
  Replicas replicas = TryTakeSpace(request, now);
  if (!replicas.empty() || request.size > segments_.largest()) return replicas;
  // Free space may lie scattered: go on evicting, but never far more than the object is worth.
  const uint64_t share = uint64_t(options_.eviction_ratio * double(segments_.capacity()));
  const uint64_t most = std::max(share, 4 * request.size);
  metrics_.attempted_evictions.Increment();
  uint64_t evicted = 0;
  while (evicted < most && replicas.empty()) {
    const uint64_t freed = Evict(request.size, now, SIZE_MAX, Urgency::kNow);
    if (freed == 0) break;
    evicted += freed;
    replicas = TryTakeSpace(request, now);
  }
  if (evicted > 0) metrics_.successful_evictions.Increment();
  // The rest of the share can wait.
  if (evicted > 0 && evicted < share) still_to_evict_ = std::max(still_to_evict_, share - evicted);
  return replicas;
}

Replicas ObjectCatalog::TryTakeSpace(const PutRequest& request, TimePoint now) {
  const size_t wanted = std::max<uint32_t>(1, request.config.replica_num());
  Replicas replicas;
  for (MountedSegment* segment : placement_.Candidates(
           segments_, {request.writer, request.host, request.config.preferred_segment()}, now)) {
    if (replicas.size() == wanted) break;
    if (const auto offset = segment->extents.Allocate(request.size)) {
      replicas.push_back(MakeReplica(*segment, *offset));
    }
  }
  return replicas;
}

Replica ObjectCatalog::MakeReplica(MountedSegment& segment, uint64_t offset) {
  return {&segment, offset, next_generation_++};
}

Object* ObjectCatalog::FindPut(const std::string& writer, const proto::PutEndItem& item) const {
  Object* object = index_.Find(item.key());
  // Only its writer knows the generations of a put.
  const bool own = object != nullptr && (object->put == nullptr || object->put->writer == writer);
  if (own && NamesAny(item, *object)) return object;
  for (const uint64_t generation : item.generations()) {
    Object* discarded = index_.FindDiscarded(writer, generation);
    if (discarded != nullptr && discarded->key == item.key()) return discarded;
  }
  return nullptr;
}

ErrorCode ObjectCatalog::EndPut(const std::string& writer, const proto::PutEndItem& item,
                                TimePoint now) {
  Object* put = FindPut(writer, item);
  if (put == nullptr) return index_.Find(item.key()) ? kInvalidParams : kObjectNotFound;
  if (put->state == Object::State::kComplete) return kOk;
  if (put->state == Object::State::kDiscarded) {
    Erase(*put);
    const Object* successor = index_.Find(item.key());
    if (successor == nullptr) return kObjectNotFound;
    return successor->state == Object::State::kComplete ? kObjectExists : kReplicaNotReady;
  }
  KeepReplicas(*put, [&](const Replica& replica) { return Names(item, replica); });
  put->checksum = item.checksum();
  index_.Complete(*put);
  eviction_order_.Add(*put, now);
  metrics_.value_size.Observe(double(put->size));
  return kOk;
}

ErrorCode ObjectCatalog::RevokePut(const std::string& writer, const proto::PutEndItem& item) {
  Object* put = FindPut(writer, item);
  if (put == nullptr) return kObjectNotFound;
  if (put->state == Object::State::kComplete) return kInvalidParams;
  Erase(*put);
  return kOk;
}

ErrorCode ObjectCatalog::Find(const std::string& key, const Object** object) const {
  const Object* found = index_.Find(key);
  if (found == nullptr) return kObjectNotFound;
  if (found->state != Object::State::kComplete) return kReplicaNotReady;
  *object = found;
  return kOk;
}

ErrorCode ObjectCatalog::FindAndLease(const std::string& key, TimePoint now,
                                      const Object** object) {
  Object* found = index_.Find(key);
  if (found == nullptr) return kObjectNotFound;
  if (found->state != Object::State::kComplete) return kReplicaNotReady;
  eviction_order_.Lease(*found, now, now + options_.lease_ttl);
  *object = found;
  return kOk;
}

ErrorCode ObjectCatalog::Remove(const std::string& key, bool force, TimePoint now) {
  const Object* found = nullptr;
  if (const ErrorCode code = Find(key, &found); code != kOk) {
    if (code == kObjectNotFound) BuryForGood(key);
    return code;
  }
  if (!force && found->lease.active(now)) return kObjectHasLease;
  if (found->lease.active(now)) remembered_[key] = found->lease.until();
  BuryForGood(key);
  Erase(*index_.Find(key), found->lease.active(now) ? Readers::kMayHold : Readers::kNone);
  return kOk;
}

bool ObjectCatalog::MayBeRemembered(const std::string& key, TimePoint now) {
  const auto found = remembered_.find(key);
  if (found == remembered_.end()) return false;
  if (now < found->second && !clients_.PendingFor(key).empty()) return true;
  remembered_.erase(found);
  return false;
}

void ObjectCatalog::SweepRemembered(TimePoint now) {
  if (now < sweep_remembered_at_) return;
  sweep_remembered_at_ = now + std::chrono::seconds(1);
  absl::erase_if(remembered_, [&](const auto& entry) { return entry.second <= now; });
}

void ObjectCatalog::BuryForGood(const std::string& key) {
  const proto::Tombstone tombstone = Bury(key);
  if (keep_removed_) removed_.push_back(tombstone);
}

proto::Tombstone ObjectCatalog::Bury(const std::string& key) {
  // Replicas whose owners are away may be younger than those that are known. It takes a generation
  // of its own, so that owners can tell what was removed since they were last told.
  proto::Tombstone tombstone = Tombstones::Make(key, next_generation_++);
  tombstones_.Add(tombstone);
  removals_below_ = next_generation_;
  return tombstone;
}

ErrorCode ObjectCatalog::LoseReplica(const proto::LostReplica& lost, TimePoint now) {
  const proto::Extent& extent = lost.extent();
  MountedSegment* segment = segments_.Find(extent.segment());
  if (segment == nullptr) return kObjectNotFound;
  const auto& there = extent.on_disk() ? segment->stored : segment->occupants;
  const auto found = there.find(extent.generation());
  if (found == there.end() || found->second->key != lost.key() ||
      found->second->state != Object::State::kComplete) {
    return kObjectNotFound;
  }
  Object& object = *found->second;
  KeepReplicas(object, [&](const Replica& replica) {
    return !IsAt(replica, *segment, extent.generation(), extent.on_disk());
  });
  metrics_.lost_replicas.Increment();
  if (extent.on_disk()) metrics_.lost_on_disk.Increment();
  if (object.replicas.empty()) {
    Erase(object);
  } else {
    Relist(object, now);
  }
  return kOk;
}

bool ObjectCatalog::SupersedeBy(const proto::HeldObject& held) {
  Object* known = index_.Find(held.key());
  if (known == nullptr) return true;
  if (known->state == Object::State::kProcessing) {
    index_.Discard(*known);
    return true;
  }
  const bool same = known->size == held.size() && known->checksum == held.checksum();
  // A segment has one generation of an object, in memory, on disk or both.
  const bool fits =
      std::none_of(known->replicas.begin(), known->replicas.end(), [&](const Replica& replica) {
        return replica.segment->name() == held.extent().segment() &&
               replica.generation != held.extent().generation();
      });
  if (same && fits) return true;
  if (held.extent().generation() < NewestGeneration(*known)) return false;
  Erase(*known);
  return true;
}

bool ObjectCatalog::Register(const Registrant& owner, const proto::HeldObject& held,
                             TimePoint now) {
  const proto::Extent& extent = held.extent();
  MountedSegment* segment = segments_.Find(extent.segment());
  if (segment == nullptr || segment->owner() != owner.client_id || !IsObjectKey(held.key()) ||
      extent.length() != held.size() ||
      clients_.AwaitsRemoval(owner.client_id, extent.generation(), extent.on_disk())) {
    return false;
  }
  if (extent.on_disk()) return RegisterOnDisk(*segment, held, owner.heard_through);
  if (const auto it = segment->occupants.find(extent.generation());
      it != segment->occupants.end()) {
    segment->unconfirmed.erase(extent.generation());
    return it->second->key == held.key();
  }
  if (tombstones_.Cover(held.key(), extent.generation(), owner.heard_through)) return false;
  bool free = segment->extents.AllocateAt(extent.offset(), extent.length());
  if (!free && !segment->unconfirmed.empty()) {
    // The snapshot is outdated there; what the owner still holds of it, it registers.
    DropUnconfirmed(*segment, now);
    free = segment->extents.AllocateAt(extent.offset(), extent.length());
  }
  if (!free) return false;
  if (!SupersedeBy(held)) {
    segment->extents.Free(extent.offset(), extent.length());
    return false;
  }
  Object& object = FindOrAdd(held);
  if (!object.in_memory()) eviction_order_.Add(object, now);
  object.replicas.push_back({segment, extent.offset(), extent.generation()});
  segment->occupants[extent.generation()] = &object;
  next_generation_ = std::max(next_generation_, extent.generation() + 1);
  return true;
}

Object& ObjectCatalog::FindOrAdd(const proto::HeldObject& held) {
  if (Object* known = index_.Find(held.key())) return *known;
  auto added = std::make_unique<Object>();
  added->key = held.key();
  added->size = held.size();
  added->checksum = held.checksum();
  added->soft_pin = held.soft_pin();
  added->hard_pin = held.hard_pin();
  added->state = Object::State::kComplete;
  return index_.Add(std::move(added));
}

bool ObjectCatalog::RegisterOnDisk(MountedSegment& segment, const proto::HeldObject& held,
                                   uint64_t heard_through) {
  const uint64_t generation = held.extent().generation();
  if (const auto it = segment.stored.find(generation); it != segment.stored.end()) {
    return it->second->key == held.key();
  }
  if (tombstones_.Cover(held.key(), generation, heard_through) || held.size() == 0 ||
      !SupersedeBy(held)) {
    return false;
  }
  AddStored(segment, generation, FindOrAdd(held));
  next_generation_ = std::max(next_generation_, generation + 1);
  return true;
}

void ObjectCatalog::AddStored(MountedSegment& segment, uint64_t generation, Object& object) {
  object.replicas.push_back({&segment, Replica::kOnDisk, generation});
  object.may_be_on_disk = true;
  segment.stored[generation] = &object;
  segment.stored_bytes += object.size;
}

bool ObjectCatalog::NoteStored(MountedSegment& segment, uint64_t generation) {
  if (segment.stored.contains(generation)) return true;
  const auto occupant = segment.occupants.find(generation);
  if (occupant == segment.occupants.end() || occupant->second->state != Object::State::kComplete) {
    return false;
  }
  AddStored(segment, generation, *occupant->second);
  metrics_.offloaded_keys.Increment();
  metrics_.offloaded_bytes.Increment(double(occupant->second->size));
  return true;
}

void ObjectCatalog::DropStored(MountedSegment& segment, uint64_t generation, TimePoint now) {
  const auto found = segment.stored.find(generation);
  if (found == segment.stored.end()) return;
  Object& object = *found->second;
  segment.stored.erase(found);
  segment.stored_bytes -= object.size;
  metrics_.disk_dropped_keys.Increment();
  // As of one that was evicted: other holders that are away do not bring it back.
  if (object.replicas.size() == 1) Bury(object.key);
  Detach(object, segment, generation, /*on_disk=*/true, now);
}

void ObjectCatalog::Detach(Object& object, const MountedSegment& segment, uint64_t generation,
                           bool on_disk, TimePoint now) {
  object.replicas.erase(std::find_if(
      object.replicas.begin(), object.replicas.end(),
      [&](const Replica& replica) { return IsAt(replica, segment, generation, on_disk); }));
  if (object.replicas.empty()) {
    Erase(object);
  } else {
    Relist(object, now);
  }
}

void ObjectCatalog::Relist(Object& object, TimePoint now) {
  if (!object.in_memory()) {
    eviction_order_.Remove(object);
    object.offload = Object::Offload::kNone;
  } else if (object.offload == Object::Offload::kQueued) {
    object.offload = Object::Offload::kNone;
    eviction_order_.Settle(object, now);
  }
}

void ObjectCatalog::Restore(const Registrant& owner, const proto::HeldObject& held, TimePoint now) {
  if (!Register(owner, held, now)) return;
  segments_.Find(held.extent().segment())->unconfirmed.insert(held.extent().generation());
}

void ObjectCatalog::DropUnconfirmed(MountedSegment& segment, TimePoint now) {
  for (const uint64_t generation : std::exchange(segment.unconfirmed, {})) {
    const auto occupant = segment.occupants.find(generation);
    if (occupant == segment.occupants.end()) continue;
    Object& object = *occupant->second;
    segment.occupants.erase(occupant);
    const auto replica = std::find_if(
        object.replicas.begin(), object.replicas.end(),
        [&](const Replica& held) { return IsAt(held, segment, generation, /*on_disk=*/false); });
    segment.extents.Free(replica->offset, object.size);
    Detach(object, segment, generation, /*on_disk=*/false, now);
  }
}

bool ObjectCatalog::Describe(const MountedSegment& segment, uint64_t generation,
                             proto::HeldObject& held) const {
  const auto occupant = segment.occupants.find(generation);
  if (occupant == segment.occupants.end()) return false;
  const Object& object = *occupant->second;
  if (object.state != Object::State::kComplete) return false;
  held.set_key(object.key);
  held.set_size(object.size);
  held.set_checksum(object.checksum);
  held.set_soft_pin(object.soft_pin);
  held.set_hard_pin(object.hard_pin);
  proto::Extent& extent = *held.mutable_extent();
  extent.set_segment(segment.name());
  extent.set_length(object.size);
  extent.set_generation(generation);
  for (const Replica& replica : object.replicas) {
    if (IsAt(replica, segment, generation, /*on_disk=*/false)) extent.set_offset(replica.offset);
  }
  return true;
}

void ObjectCatalog::DropReplicasOn(MountedSegment& segment, TimePoint now) {
  offloading_.TakeBack(segment, now);
  segment.unconfirmed.clear();
  const auto in_memory = std::exchange(segment.occupants, {});
  const auto on_disk = std::exchange(segment.stored, {});
  segment.stored_bytes = 0;
  const auto drop = [&](Object& object) {
    const auto gone =
        std::remove_if(object.replicas.begin(), object.replicas.end(),
                       [&](const Replica& replica) { return replica.segment == &segment; });
    object.replicas.erase(gone, object.replicas.end());
    if (object.replicas.empty()) {
      Erase(object);
    } else {
      Relist(object, now);
    }
  };
  for (const auto& [generation, object] : in_memory) drop(*object);
  for (const auto& [generation, object] : on_disk) {
    // In both places it is one object, which has been dropped.
    if (!in_memory.contains(generation)) drop(*object);
  }
}

void ObjectCatalog::Hold(const std::string& owner, uint64_t generation, TimePoint now) {
  for (MountedSegment* segment : segments_.OwnedBy(owner)) {
    const auto occupant = segment->occupants.find(generation);
    if (occupant == segment->occupants.end()) continue;
    Object& object = *occupant->second;
    if (object.state != Object::State::kComplete) continue;
    // Until the owner's next word, or the loss of its segment.
    eviction_order_.Hold(object, now, now + std::max(options_.lease_ttl, options_.client_ttl));
  }
}

void ObjectCatalog::FreeLingering(const std::string& owner,
                                  const google::protobuf::RepeatedField<uint64_t>& held) {
  for (MountedSegment* segment : segments_.OwnedBy(owner)) {
    absl::erase_if(segment->lingering, [&](const auto& entry) {
      const auto& [generation, extent] = entry;
      const std::vector<uint64_t>& read = segment->handed_out;
      if (clients_.AwaitsRemoval(owner, generation) ||
          std::find(held.begin(), held.end(), generation) != held.end() ||
          std::find(read.begin(), read.end(), generation) != read.end()) {
        return false;
      }
      segment->extents.Free(extent.offset, extent.length);
      return true;
    });
  }
}

void ObjectCatalog::ReleaseStalePuts(TimePoint now) {
  while (Object* put = index_.OldestPut()) {
    if (now - put->put->started < options_.put_start_release_timeout) return;
    Erase(*put);
  }
}

void ObjectCatalog::EvictAboveWatermark(TimePoint now) {
  offloading_.Choose(now);
  const double capacity = double(segments_.capacity());
  const double excess =
      double(segments_.used()) - options_.eviction_high_watermark_ratio * capacity;
  const bool started = still_to_evict_ == 0 && excess > 0;
  if (started) {
    metrics_.attempted_evictions.Increment();
    still_to_evict_ = uint64_t(excess + options_.eviction_ratio * capacity);
  }
  const bool evicted = ContinueEviction(now);
  if (started && evicted) metrics_.successful_evictions.Increment();
}

bool ObjectCatalog::ContinueEviction(TimePoint now) {
  if (still_to_evict_ == 0) return false;
  const uint64_t freed = Evict(still_to_evict_, now, kEvictedAtOnce, Urgency::kCanWait);
  still_to_evict_ -= std::min(still_to_evict_, freed == 0 ? still_to_evict_ : freed);
  return freed > 0;
}

Object* ObjectCatalog::NextVictim(TimePoint now, Urgency urgency) {
  const bool soft_pinned_too = options_.allow_evict_soft_pinned_objects;
  if (!offloading_.enabled()) return eviction_order_.Next(now, soft_pinned_too);
  // Rather than drop what is about to be on disk, memory above the watermark waits for it.
  Object* settled = eviction_order_.Next(now, soft_pinned_too, EvictionOrder::Among::kSettled);
  if (settled != nullptr || urgency == Urgency::kCanWait) return settled;
  return eviction_order_.Next(now, soft_pinned_too);
}

uint64_t ObjectCatalog::Evict(uint64_t bytes, TimePoint now, size_t most_objects, Urgency urgency) {
  uint64_t freed = 0;
  for (size_t i = 0; i < most_objects && freed < bytes; ++i) {
    Object* object = NextVictim(now, urgency);
    if (object == nullptr) break;
    const auto on_disk = std::count_if(object->replicas.begin(), object->replicas.end(),
                                       [](const Replica& replica) { return replica.on_disk(); });
    const uint64_t size = object->size * (object->replicas.size() - size_t(on_disk));
    metrics_.evicted_keys.Increment();
    metrics_.evicted_bytes.Increment(double(size));
    freed += size;
    if (on_disk > 0) {
      KeepReplicas(*object, [](const Replica& replica) { return replica.on_disk(); });
      Relist(*object, now);
      continue;
    }
    if (offloading_.enabled()) metrics_.evicted_unstored_keys.Increment();
    Bury(object->key);
    Erase(*object);
  }
  return freed;
}

void ObjectCatalog::FreeReplica(const Object& object, const Replica& replica, Readers readers,
                                bool stays_on_disk) {
  MountedSegment& segment = *replica.segment;
  proto::ObjectExtent removal;
  removal.set_key(object.key);
  removal.set_memory_only(stays_on_disk);
  proto::Extent& extent = *removal.mutable_extent();
  extent.set_segment(segment.name());
  extent.set_length(object.size);
  extent.set_generation(replica.generation);
  if (replica.on_disk()) {
    segment.stored.erase(replica.generation);
    segment.stored_bytes -= object.size;
    extent.set_on_disk(true);
  } else {
    segment.occupants.erase(replica.generation);
    segment.unconfirmed.erase(replica.generation);
    if (readers == Readers::kMayHold || object.offload == Object::Offload::kHandedOut) {
      segment.lingering[replica.generation] = {replica.offset, object.size};
    } else {
      segment.extents.Free(replica.offset, object.size);
    }
    extent.set_offset(replica.offset);
  }
  clients_.AddRemoval(segment.owner(), std::move(removal),
                      object.may_be_on_disk && segment.has_disk && !stays_on_disk);
}

template <typename Predicate>
void ObjectCatalog::KeepReplicas(Object& object, Predicate keep, Readers readers) {
  const auto gone = std::stable_partition(object.replicas.begin(), object.replicas.end(), keep);
  for (auto it = gone; it != object.replicas.end(); ++it) {
    const bool stays_on_disk =
        !it->on_disk() && std::any_of(object.replicas.begin(), gone, [&](const Replica& kept) {
          return IsAt(kept, *it->segment, it->generation, /*on_disk=*/true);
        });
    FreeReplica(object, *it, readers, stays_on_disk);
  }
  object.replicas.erase(gone, object.replicas.end());
}

void ObjectCatalog::Erase(Object& object, Readers readers) {
  KeepReplicas(
      object, [](const Replica&) { return false; }, readers);
  eviction_order_.Remove(object);
  index_.Erase(object);
}

}  // namespace tandem::store
