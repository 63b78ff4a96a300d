#include "store/master/object_catalog.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace tandem::store {
namespace {

bool Names(const proto::PutEndItem& item, const Replica& replica) {
  return std::find(item.generations().begin(), item.generations().end(), replica.generation) !=
         item.generations().end();
}

bool NamesAny(const proto::PutEndItem& item, const Object& object) {
  return std::any_of(object.replicas.begin(), object.replicas.end(),
                     [&](const Replica& replica) { return Names(item, replica); });
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
      placement_(options.allocation_strategy, options.random_seed),
      next_generation_(options.first_generation) {}

ErrorCode ObjectCatalog::StartPut(const PutRequest& request, TimePoint now, const Object** put) {
  if (request.key.empty() || request.size == 0) return kInvalidParams;
  if (Object* known = index_.Find(request.key)) {
    if (known->state == Object::State::kComplete) return kObjectExists;
    if (now - known->started < options_.put_start_discard_timeout) return kReplicaNotReady;
    index_.Discard(*known);
  }
  std::vector<Replica> replicas = TakeSpace(request, now);
  if (replicas.empty()) {
    metrics_.allocation_failures.Increment();
    return kNoSpace;
  }
  auto object = std::make_unique<Object>();
  object->key = request.key;
  object->size = request.size;
  object->soft_pin = request.config.soft_pin();
  object->hard_pin = request.config.hard_pin();
  object->writer = request.writer;
  object->started = now;
  object->replicas = std::move(replicas);
  Object& added = index_.Add(std::move(object));
  for (const Replica& replica : added.replicas) {
    replica.segment->occupants[replica.generation] = &added;
  }
  EvictAboveWatermark(now);
  *put = &added;
  return kOk;
}

std::vector<Replica> ObjectCatalog::TakeSpace(const PutRequest& request, TimePoint now) {
  std::vector<Replica> replicas = TryTakeSpace(request, now);
  if (!replicas.empty() || request.size > segments_.largest()) return replicas;
  // Free space may lie scattered: go on evicting, but never far more than the object is worth.
  const uint64_t share = uint64_t(options_.eviction_ratio * double(segments_.capacity()));
  const uint64_t most = std::max(share, 4 * request.size);
  for (uint64_t evicted = 0; evicted < most && replicas.empty();) {
    const uint64_t freed = Evict(std::max(share, request.size), now);
    if (freed == 0) break;
    evicted += freed;
    replicas = TryTakeSpace(request, now);
  }
  return replicas;
}

std::vector<Replica> ObjectCatalog::TryTakeSpace(const PutRequest& request, TimePoint now) {
  const size_t wanted = std::max<uint32_t>(1, request.config.replica_num());
  std::vector<Replica> replicas;
  for (MountedSegment* segment :
       placement_.Candidates(segments_, request.writer, request.config.preferred_segment(), now)) {
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
  if (object != nullptr && object->writer == writer && NamesAny(item, *object)) return object;
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
  const ErrorCode code = Find(key, object);
  if (code != kOk) return code;
  eviction_order_.Lease(*index_.Find(key), now, now + options_.lease_ttl);
  return kOk;
}

ErrorCode ObjectCatalog::Remove(const std::string& key, bool force, TimePoint now) {
  const Object* found = nullptr;
  if (const ErrorCode code = Find(key, &found); code != kOk) return code;
  if (!force && found->lease.active(now)) return kObjectHasLease;
  Erase(*index_.Find(key));
  return kOk;
}

ErrorCode ObjectCatalog::LoseReplica(const proto::LostReplica& lost) {
  MountedSegment* segment = segments_.Find(lost.extent().segment());
  if (segment == nullptr) return kObjectNotFound;
  const auto occupant = segment->occupants.find(lost.extent().generation());
  if (occupant == segment->occupants.end() || occupant->second->key != lost.key() ||
      occupant->second->state != Object::State::kComplete) {
    return kObjectNotFound;
  }
  Object& object = *occupant->second;
  KeepReplicas(object, [&](const Replica& replica) {
    return replica.generation != lost.extent().generation();
  });
  metrics_.lost_replicas.Increment();
  if (object.replicas.empty()) Erase(object);
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
  const bool elsewhere = std::none_of(
      known->replicas.begin(), known->replicas.end(),
      [&](const Replica& replica) { return replica.segment->name() == held.extent().segment(); });
  if (same && elsewhere) return true;
  if (held.extent().generation() < NewestGeneration(*known)) return false;
  Erase(*known);
  return true;
}

bool ObjectCatalog::Register(const std::string& owner, const proto::HeldObject& held,
                             TimePoint now) {
  const proto::Extent& extent = held.extent();
  MountedSegment* segment = segments_.Find(extent.segment());
  if (segment == nullptr || segment->owner() != owner || held.key().empty() ||
      extent.length() != held.size() || clients_.AwaitsRemoval(owner, extent.generation())) {
    return false;
  }
  if (const auto it = segment->occupants.find(extent.generation());
      it != segment->occupants.end()) {
    return it->second->key == held.key();
  }
  if (!segment->extents.AllocateAt(extent.offset(), extent.length())) return false;
  if (!SupersedeBy(held)) {
    segment->extents.Free(extent.offset(), extent.length());
    return false;
  }
  Object* object = index_.Find(held.key());
  if (object == nullptr) {
    auto added = std::make_unique<Object>();
    added->key = held.key();
    added->size = held.size();
    added->checksum = held.checksum();
    added->soft_pin = held.soft_pin();
    added->hard_pin = held.hard_pin();
    added->state = Object::State::kComplete;
    object = &index_.Add(std::move(added));
    eviction_order_.Add(*object, now);
  }
  object->replicas.push_back({segment, extent.offset(), extent.generation()});
  segment->occupants[extent.generation()] = object;
  next_generation_ = std::max(next_generation_, extent.generation() + 1);
  return true;
}

void ObjectCatalog::DropReplicasOn(MountedSegment& segment) {
  const auto occupants = std::move(segment.occupants);
  segment.occupants.clear();
  for (const auto& [generation, object] : occupants) {
    std::erase_if(object->replicas,
                  [&](const Replica& replica) { return replica.segment == &segment; });
    if (object->replicas.empty()) Erase(*object);
  }
}

void ObjectCatalog::ReleaseStalePuts(TimePoint now) {
  while (Object* put = index_.OldestPut()) {
    if (now - put->started < options_.put_start_release_timeout) return;
    Erase(*put);
  }
}

void ObjectCatalog::EvictAboveWatermark(TimePoint now) {
  const double capacity = double(segments_.capacity());
  const double excess =
      double(segments_.used()) - options_.eviction_high_watermark_ratio * capacity;
  if (excess > 0) Evict(uint64_t(excess + options_.eviction_ratio * capacity), now);
}

uint64_t ObjectCatalog::Evict(uint64_t bytes, TimePoint now) {
  metrics_.attempted_evictions.Increment();
  uint64_t freed = 0;
  while (freed < bytes) {
    Object* object = eviction_order_.Next(now, options_.allow_evict_soft_pinned_objects);
    if (object == nullptr) break;
    const uint64_t size = object->size * object->replicas.size();
    metrics_.evicted_keys.Increment();
    metrics_.evicted_bytes.Increment(double(size));
    freed += size;
    Erase(*object);
  }
  if (freed > 0) metrics_.successful_evictions.Increment();
  return freed;
}

void ObjectCatalog::FreeReplica(const Object& object, const Replica& replica) {
  MountedSegment& segment = *replica.segment;
  segment.occupants.erase(replica.generation);
  segment.extents.Free(replica.offset, object.size);
  proto::Extent extent;
  extent.set_segment(segment.name());
  extent.set_offset(replica.offset);
  extent.set_length(object.size);
  extent.set_generation(replica.generation);
  clients_.AddRemoval(segment.owner(), object.key, extent);
}

template <typename Predicate>
void ObjectCatalog::KeepReplicas(Object& object, Predicate keep) {
  const auto gone = std::stable_partition(object.replicas.begin(), object.replicas.end(), keep);
  for (auto it = gone; it != object.replicas.end(); ++it) FreeReplica(object, *it);
  object.replicas.erase(gone, object.replicas.end());
}

void ObjectCatalog::Erase(Object& object) {
  KeepReplicas(object, [](const Replica&) { return false; });
  eviction_order_.Remove(object);
  index_.Erase(object);
}

}  // namespace tandem::store
