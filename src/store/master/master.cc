#include "store/master/master.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"

namespace tandem::store {
namespace {

/// Adds the segments of `object` to a response, each once.
template <typename Response>
class SegmentCollector {
 public:
  explicit SegmentCollector(Response& response) : response_(response) {}

  void Add(const MountedSegment& segment) {
    if (seen_.insert(&segment).second) *response_.add_segments() = segment.description;
  }

 private:
  Response& response_;
  absl::flat_hash_set<const MountedSegment*> seen_;
};

/// What is granted with an answer; nothing if there is no access.
struct GrantTerms {
  std::optional<Access> access;
  TimePoint expires;
};

/// Beyond the time for which an extent is kept for whoever asked for it: a transfer that began in
/// time may go on. An extent that was given to another is refused by its generation.
constexpr Duration kTransferTime = std::chrono::minutes(10);

template <typename Result, typename Response>
void DescribeReplicas(const Object& object, const GrantTerms& terms, Result& result,
                      SegmentCollector<Response>& segments) {
  for (const Replica& replica : object.replicas) {
    proto::Extent& extent = *result.add_extents();
    const uint64_t offset = replica.on_disk() ? 0 : replica.offset;
    extent.set_segment(replica.segment->name());
    extent.set_offset(offset);
    extent.set_length(object.size);
    extent.set_generation(replica.generation);
    extent.set_on_disk(replica.on_disk());
    if (terms.access.has_value()) {
      const Access access = replica.on_disk() ? Access::kReadFromDisk : *terms.access;
      extent.set_grant(replica.segment->grants.Sign(
          {offset, object.size, replica.generation, access}, terms.expires));
    }
    segments.Add(*replica.segment);
  }
}

/// Lets an inference request be followed to its lookups and puts.
void LogCall(const char* name, const std::string& request_id, int keys) {
  if (request_id.empty()) return;
  spdlog::debug("request {}: {} of {} keys", absl::CEscape(request_id), name, keys);
}

/// The most that a call may wait for, whatever it asks.
constexpr uint32_t kLongestWaitMilliseconds = 10'000;
/// Owners that run forget within this, however busy.
constexpr uint32_t kForgetMilliseconds = 300;

TimePoint WaitUntil(uint32_t milliseconds) {
  return Clock::Real().Now() +
         std::chrono::milliseconds(std::min(milliseconds, kLongestWaitMilliseconds));
}

}  // namespace

Master::Master(const MasterOptions& options, MasterMetrics& metrics, const Clock& clock,
               RemovalLog* log)
    : options_(options),
      clock_(clock),
      log_(log),
      epoch_(fmt::format("{:x}", options.first_generation)),
      recovers_until_(clock.Now() + options.recovery_time),
      first_generation_(options.first_generation),
      clients_(options.first_generation),
      catalog_(options, segments_, clients_, metrics) {
  recovered_ = options.recovery_time == Duration::zero();
  if (log_ != nullptr) catalog_.KeepRemoved();
}

void Master::Restore(const proto::Snapshot& snapshot) {
  MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  restored_ = true;
  catalog_.StartAt(snapshot.next_generation());
  first_generation_ = catalog_.next_generation();
  catalog_.tombstones().ForgetThrough(snapshot.forgotten_through());
  for (const proto::Tombstone& tombstone : snapshot.tombstones()) {
    catalog_.tombstones().Add(tombstone);
  }
  absl::flat_hash_map<std::string, std::string> owners;  // by segment
  for (const proto::Snapshot::MountedSegment& mounted : snapshot.segments()) {
    proto::MountSegmentRequest request;
    request.set_client_id(mounted.segment().client_id());
    *request.mutable_segment() = mounted.segment();
    request.set_boot_id(mounted.boot_id());
    request.set_exact(true);
    if (segments_.Mount(request).code != kOk) continue;
    MountedSegment& segment = *segments_.Find(mounted.segment().name());
    segment.closed_until = now + options_.client_ttl;
    segment.registering = true;
    // Until the owner tells its own, its clock is taken to be right.
    segment.grants.SetKey(mounted.grant_key());
    segment.grants.SetClock(GrantClockNow(), now);
    clients_.Hear(request.client_id(), now);
    clients_.Join(request.client_id(), mounted.segment().data_endpoint());
    owners[mounted.segment().name()] = request.client_id();
  }
  for (const proto::HeldObject& held : snapshot.objects()) {
    // What had been removed before is not in it.
    catalog_.Restore({owners[held.extent().segment()], snapshot.next_generation()}, held, now);
  }
  spdlog::info("a snapshot told of {} segments and {} objects", snapshot.segments_size(),
               snapshot.objects_size());
}

proto::Snapshot Master::TakeSnapshot() {
  constexpr size_t kDescribedAtOnce = 1000;
  proto::Snapshot snapshot;
  std::vector<std::vector<uint64_t>> generations;  // of each of its segments
  {
    MutexLock lock(mutex_);
    snapshot.set_next_generation(catalog_.next_generation());
    snapshot.set_forgotten_through(catalog_.tombstones().forgotten_through());
    catalog_.tombstones().ForEach([&](uint64_t key_hash, uint64_t generation) {
      proto::Tombstone& tombstone = *snapshot.add_tombstones();
      tombstone.set_key_hash(key_hash);
      tombstone.set_generation(generation);
    });
    for (const MountedSegment* segment : segments_.All()) {
      proto::Snapshot::MountedSegment& mounted = *snapshot.add_segments();
      *mounted.mutable_segment() = segment->description;
      mounted.set_boot_id(segment->boot_id);
      mounted.set_grant_key(segment->grants.key());
      std::vector<uint64_t>& of_segment = generations.emplace_back();
      for (const auto& [generation, object] : segment->occupants) of_segment.push_back(generation);
    }
  }
  for (size_t i = 0; i < generations.size(); ++i) {
    for (size_t next = 0; next < generations[i].size();) {
      MutexLock lock(mutex_);
      const MountedSegment* segment = segments_.Find(snapshot.segments(int(i)).segment().name());
      if (segment == nullptr) break;
      const size_t end = std::min(next + kDescribedAtOnce, generations[i].size());
      for (; next < end; ++next) {
        proto::HeldObject held;
        if (catalog_.Describe(*segment, generations[i][next], held)) {
          *snapshot.add_objects() = std::move(held);
        }
      }
    }
  }
  return snapshot;
}

bool Master::AnyRegistering() const {
  const TimePoint now = clock_.Now();
  const std::vector<MountedSegment*> segments = segments_.All();
  return std::any_of(segments.begin(), segments.end(), [&](const MountedSegment* segment) {
    return segment->registering && segment->closed_until > now;
  });
}

void Master::AwaitRecovery() {
  if (recovered_) return;
  const TimePoint give_up = WaitUntil(kLongestWaitMilliseconds);
  const auto is_stopping = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_; };
  registered_.WaitUntil(mutex_,
                        std::min(give_up, Clock::Real().Now() + (recovers_until_ - clock_.Now())),
                        is_stopping);
  // One that lives but ends before it has registered all is waited for until its closed_until.
  const auto may_answer = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping_ || recovered_ || !AnyRegistering();
  };
  const bool waited = registered_.WaitUntil(mutex_, give_up, may_answer);
  recovered_ = recovered_ || (waited && !stopping_);
}

template <typename Keys>
void Master::AwaitRecovery(const Keys& keys) {
  const Object* object = nullptr;
  const auto is_there = [&](const std::string& key) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return catalog_.Find(key, &object) == kOk;
  };
  const bool all_there =
      restored_ && !recovered_ && std::all_of(keys.begin(), keys.end(), is_there);
  if (!all_there) AwaitRecovery();
}

template <typename Keys>
void Master::AwaitForgotten(const Keys& keys) {
  if (!catalog_.AnyRemembered()) return;
  const TimePoint give_up = WaitUntil(kForgetMilliseconds);
  for (const std::string& key : keys) {
    while (!stopping_ && Clock::Real().Now() < give_up &&
           catalog_.MayBeRemembered(key, clock_.Now())) {
      const proto::PendingOwner owner = clients_.PendingFor(key).front();
      const auto changed = clients_.Changed(owner.client_id());
      changed->WaitUntil(mutex_, give_up, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || clients_.HasAcknowledged(owner.client_id(), owner.sequence());
      });
    }
  }
}

proto::MountSegmentResponse Master::MountSegment(const proto::MountSegmentRequest& request) {
  MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  const std::string& name = request.segment().name();
  const bool known = segments_.Find(name) != nullptr;
  const SegmentTable::Grant grant = segments_.Mount(request);
  proto::MountSegmentResponse response;
  response.set_code(grant.code);
  response.set_granted(grant.bytes);
  response.set_reason(grant.reason);
  response.set_epoch(epoch_);
  response.set_client_ttl_milliseconds(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.client_ttl).count());
  if (!options_.offload_directory.empty()) {
    proto::Offload& offload = *response.mutable_offload();
    offload.set_directory(options_.offload_directory);
    offload.set_cluster_id(options_.cluster_id);
    offload.set_capacity_bytes(options_.offload_capacity_bytes);
  }
  if (grant.code != kOk) {
    spdlog::warn("segment '{}' of client {} refused: {}", name, request.client_id(), grant.reason);
    return response;
  }
  clients_.Hear(request.client_id(), now);
  clients_.Join(request.client_id(), request.segment().data_endpoint());
  MountedSegment& segment = *segments_.Find(name);
  if (!known && request.exact()) segment.closed_until = now + options_.client_ttl;
  if (!known) segment.opens_disk_until = now + options_.client_ttl;
  segment.registering = segment.closed_until > now;
  segment.grants.SetKey(request.grant_key());
  segment.grants.SetClock(request.grant_clock(), now);
  if (!known) {
    spdlog::info("segment '{}' of client {} mounted, {} bytes{}{}", name, request.client_id(),
                 grant.bytes, grant.reason.empty() ? "" : ": ", grant.reason);
  }
  return response;
}

proto::UnmountSegmentResponse Master::UnmountSegment(const proto::UnmountSegmentRequest& request) {
  MutexLock lock(mutex_);
  proto::UnmountSegmentResponse response;
  MountedSegment* segment = FindOwn(request.client_id(), request.segment());
  if (segment == nullptr) {
    response.set_code(kSegmentNotFound);
  } else {
    spdlog::info("segment '{}' of client {} unmounted", request.segment(), request.client_id());
    const bool has_disk = segment->has_disk;
    Unmount(*segment);
    // Its disk stays: what is to be removed from it is not removed yet.
    if (!has_disk) clients_.Leave(request.client_id());
  }
  return response;
}

MountedSegment* Master::FindOwn(const std::string& client_id, const std::string& segment) {
  MountedSegment* found = segments_.Find(segment);
  return found != nullptr && found->owner() == client_id ? found : nullptr;
}

void Master::Unmount(MountedSegment& segment) {
  const auto changed = clients_.Changed(segment.owner());
  catalog_.DropReplicasOn(segment, clock_.Now());
  segments_.Unmount(std::string(segment.name()));
  registered_.NotifyAll();
  changed->NotifyAll();
}

proto::PingResponse Master::Ping(const proto::PingRequest& request) {
  MutexLock lock(mutex_);
  clients_.Hear(request.client_id(), clock_.Now());
  clients_.Acknowledge(request.client_id(), request.forgotten_through());
  for (MountedSegment* segment : segments_.OwnedBy(request.client_id())) {
    segment->grants.SetClock(request.grant_clock(), clock_.Now());
  }
  for (const uint64_t generation : request.held_generations()) {
    catalog_.Hold(request.client_id(), generation, clock_.Now());
  }
  catalog_.FreeLingering(request.client_id(), request.held_generations());
  // Whoever waits here would otherwise seem to be silent, also to itself: what an owner serves
  // readers with begins with a ping, and it hears of the next one's success only when that ends.
  const bool new_life = request.epoch() != epoch_;
  const TimePoint wait_until = std::min(WaitUntil(new_life ? 0 : request.wait_milliseconds()),
                                        Clock::Real().Now() + options_.client_ttl / 4);
  const auto changed = clients_.Changed(request.client_id());
  changed->WaitUntil(mutex_, wait_until, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping_ || clients_.HasRemovals(request.client_id()) ||
           segments_.OwnedBy(request.client_id()).empty();
  });
  clients_.Hear(request.client_id(), clock_.Now());
  proto::PingResponse response;
  response.set_epoch(epoch_);
  response.set_mount_again(segments_.OwnedBy(request.client_id()).empty());
  const bool all = clients_.ListRemovals(request.client_id(), response);
  if (all && !response.mount_again()) response.set_heard_through(catalog_.removals_below());
  return response;
}

uint64_t Master::HeardThrough(const proto::RegisterObjectsRequest& request) const {
  // An earlier life counted lower, unless its clock was ahead of this one's: then an owner who has
  // heard nothing of this life's removals would seem to have heard of all.
  const bool counts_alike =
      request.heard_epoch() == epoch_ || request.heard_through() <= first_generation_;
  return counts_alike ? request.heard_through() : 0;
}

proto::RegisterObjectsResponse Master::RegisterObjects(
    const proto::RegisterObjectsRequest& request) {
  // Newest first, so that of two that claim the same space the newer one gets it.
  std::vector<const proto::HeldObject*> objects;
  for (const proto::HeldObject& held : request.objects()) objects.push_back(&held);
  std::sort(objects.begin(), objects.end(), [](const auto* left, const auto* right) {
    return left->extent().generation() > right->extent().generation();
  });

  MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  clients_.Hear(request.client_id(), now);
  proto::RegisterObjectsResponse response;
  const uint64_t heard_through = HeardThrough(request);
  for (const proto::HeldObject* held : objects) {
    if (catalog_.Register({request.client_id(), heard_through}, *held, now)) continue;
    proto::ObjectExtent& refused = *response.add_refused();
    refused.set_key(held->key());
    *refused.mutable_extent() = held->extent();
  }
  for (MountedSegment* segment : segments_.OwnedBy(request.client_id())) {
    if (!request.complete()) continue;
    segment->closed_until = TimePoint::min();
    segment->registering = false;
    catalog_.DropUnconfirmed(*segment, now);
  }
  if (request.complete() && !request.disk_id().empty()) {
    for (const std::string& ended : clients_.TakeOverDisk(request.disk_id(), request.client_id())) {
      for (MountedSegment* segment : segments_.OwnedBy(ended)) {
        spdlog::info("segment '{}' is dropped: client {} has the disk of its owner",
                     segment->name(), request.client_id());
        Unmount(*segment);
      }
      clients_.Leave(ended);
    }
  }
  registered_.NotifyAll();
  spdlog::info("client {} registered {} objects, {} of them refused", request.client_id(),
               request.objects_size(), response.refused_size());
  return response;
}

proto::OffloadResponse Master::Offload(const proto::OffloadRequest& request) {
  MutexLock lock(mutex_);
  proto::OffloadResponse response;
  MountedSegment* segment = FindOwn(request.client_id(), request.segment());
  if (segment == nullptr || !catalog_.offloading().enabled()) {
    response.set_code(segment == nullptr ? kSegmentNotFound : kInvalidParams);
    return response;
  }
  for (const uint64_t generation : request.stored()) {
    if (!catalog_.NoteStored(*segment, generation)) response.add_refused(generation);
  }
  for (const uint64_t generation : request.dropped()) {
    catalog_.DropStored(*segment, generation, clock_.Now());
  }
  catalog_.offloading().TakeBack(*segment, clock_.Now());
  segment->has_disk = true;
  catalog_.EvictAboveWatermark(clock_.Now());
  if (response.refused_size() == 0) {
    const auto changed = clients_.Changed(request.client_id());
    changed->WaitUntil(mutex_, WaitUntil(request.wait_milliseconds()),
                       [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                         segment = FindOwn(request.client_id(), request.segment());
                         return stopping_ || segment == nullptr || !segment->to_store.empty();
                       });
  }
  if (segment == nullptr) {
    response.set_code(kSegmentNotFound);
    return response;
  }
  for (const uint64_t generation : catalog_.offloading().HandOut(*segment, clock_.Now())) {
    catalog_.Describe(*segment, generation, *response.add_objects());
  }
  return response;
}

proto::PutStartResponse Master::PutStart(const proto::PutStartRequest& request) {
  LogCall("put_start", request.request_id(), request.keys_size());
  proto::PutStartResponse response;
  const bool valid = request.keys_size() == request.sizes_size();
  MutexLock lock(mutex_);
  AwaitRecovery();
  AwaitForgotten(request.keys());
  SegmentCollector segments(response);
  const TimePoint now = clock_.Now();
  const GrantTerms terms{Access::kWrite, now + options_.put_start_release_timeout + kTransferTime};
  for (int i = 0; i < request.keys_size(); ++i) {
    proto::PutStartResult& result = *response.add_results();
    const Object* put = nullptr;
    result.set_code(valid
                        ? catalog_.StartPut({request.client_id(), request.keys(i), request.sizes(i),
                                             request.config(), request.host_identity()},
                                            now, &put)
                        : kInvalidParams);
    if (put != nullptr) DescribeReplicas(*put, terms, result, segments);
  }
  // One step for the whole call: one for each key would make all others wait for the sum.
  catalog_.EvictAboveWatermark(now);
  return response;
}

proto::ResultsResponse Master::PutEnd(const proto::PutEndRequest& request) {
  LogCall("put_end", request.request_id(), request.items_size());
  MutexLock lock(mutex_);
  AwaitRecovery();
  proto::ResultsResponse response;
  const TimePoint now = clock_.Now();
  for (const proto::PutEndItem& item : request.items()) {
    response.add_codes(catalog_.EndPut(request.client_id(), item, now));
  }
  return response;
}

proto::ResultsResponse Master::PutRevoke(const proto::PutRevokeRequest& request) {
  MutexLock lock(mutex_);
  proto::ResultsResponse response;
  for (const proto::PutEndItem& item : request.items()) {
    response.add_codes(catalog_.RevokePut(request.client_id(), item));
  }
  return response;
}

proto::GetReplicasResponse Master::GetReplicas(const proto::GetReplicasRequest& request) {
  LogCall("get_replica_list", request.request_id(), request.keys_size());
  proto::GetReplicasResponse response;
  response.set_lease_milliseconds(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease_ttl).count());
  MutexLock lock(mutex_);
  AwaitRecovery(request.keys());
  AwaitForgotten(request.keys());
  SegmentCollector segments(response);
  const TimePoint now = clock_.Now();
  GrantTerms terms{std::nullopt, now + options_.lease_ttl + kTransferTime};
  // Who takes no lease only looks on.
  if (!request.without_lease()) terms.access = Access::kRead;
  catalog_.Prefetch(request.keys());
  for (const std::string& key : request.keys()) {
    proto::GetReplicasResult& result = *response.add_results();
    const Object* object = nullptr;
    result.set_code(request.without_lease() ? catalog_.Find(key, &object)
                                            : catalog_.FindAndLease(key, now, &object));
    if (object == nullptr) continue;
    result.set_size(object->size);
    result.set_checksum(object->checksum);
    DescribeReplicas(*object, terms, result, segments);
  }
  return response;
}

proto::ExistResponse Master::Exist(const proto::KeysRequest& request) {
  MutexLock lock(mutex_);
  AwaitRecovery(request.keys());
  AwaitForgotten(request.keys());
  proto::ExistResponse response;
  const TimePoint now = clock_.Now();
  catalog_.Prefetch(request.keys());
  for (const std::string& key : request.keys()) {
    const Object* object = nullptr;
    response.add_exists(catalog_.FindAndLease(key, now, &object) == kOk ? 1 : 0);
  }
  return response;
}

proto::RemoveResponse Master::Remove(const proto::RemoveRequest& request) {
  proto::RemoveResponse response;
  std::vector<proto::Tombstone> removed;
  {
    MutexLock lock(mutex_);
    AwaitRecovery();
    const TimePoint now = clock_.Now();
    for (const std::string& key : request.keys()) {
      response.add_codes(catalog_.Remove(key, request.force(), now));
    }
    ListPending({request.keys().begin(), request.keys().end()}, *response.mutable_pending());
    removed = catalog_.TakeRemoved();
  }
  if (log_ != nullptr) log_->Append(removed);
  MutexLock lock(mutex_);
  AwaitPending(request.wait_milliseconds(), *response.mutable_pending());
  return response;
}

proto::ConfirmRemovalsResponse Master::ConfirmRemovals(
    const proto::ConfirmRemovalsRequest& request) {
  MutexLock lock(mutex_);
  proto::ConfirmRemovalsResponse response;
  *response.mutable_pending() = request.pending();
  for (const proto::PendingOwner& owner : request.pending()) {
    if (clients_.IsOfThisLife(owner.sequence())) continue;
    // An earlier life told nobody else what was removed: here nobody knows.
    response.set_code(kRpcFailed);
    return response;
  }
  AwaitPending(request.wait_milliseconds(), *response.mutable_pending());
  return response;
}

void Master::ListPending(const std::vector<std::string>& keys, PendingOwners& pending) {
  absl::flat_hash_map<std::string, proto::PendingOwner*> by_client;
  for (proto::PendingOwner& owner : pending) by_client[owner.client_id()] = &owner;
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const proto::PendingOwner& owner : clients_.PendingFor(keys[i])) {
      proto::PendingOwner*& listed = by_client[owner.client_id()];
      if (listed == nullptr) *(listed = pending.Add()) = owner;
      listed->set_sequence(std::max(listed->sequence(), owner.sequence()));
      listed->set_on_disk(listed->on_disk() || owner.on_disk());
      listed->add_keys(static_cast<uint32_t>(i));
    }
  }
}

void Master::AwaitPending(uint32_t milliseconds, PendingOwners& pending) {
  const TimePoint wait_until = WaitUntil(milliseconds);
  const auto has_forgotten = [&](const proto::PendingOwner& owner) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return clients_.HasAcknowledged(owner.client_id(), owner.sequence());
  };
  for (const proto::PendingOwner& owner : pending) {
    if (has_forgotten(owner)) continue;
    const auto changed = clients_.Changed(owner.client_id());
    changed->WaitUntil(mutex_, wait_until, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return stopping_ || has_forgotten(owner);
    });
  }
  pending.erase(std::remove_if(pending.begin(), pending.end(), has_forgotten), pending.end());
}

void Master::StopWaiting() {
  MutexLock lock(mutex_);
  stopping_ = true;
  clients_.WakeAll();
  registered_.NotifyAll();
}

template <typename Matches>
proto::RemoveManyResponse Master::RemoveMatching(const std::string& pattern, Matches matches,
                                                 bool force, uint32_t wait_milliseconds) {
  proto::RemoveManyResponse response;
  std::vector<proto::Tombstone> removed;
  // Of what an owner who is away holds, up to which generation it goes as well: what was put before
  // this call, but nothing that stays, as it has a lease or is being written.
  uint64_t buried = 0;
  {
    MutexLock lock(mutex_);
    AwaitRecovery();
    buried = catalog_.next_generation() - 1;
  }
  // Other calls get their turn between two sets.
  for (size_t set = 0; set < ObjectIndex::kSets; ++set) {
    MutexLock lock(mutex_);
    AwaitRecovery();
    std::vector<std::string> keys;
    catalog_.index().ForEachIn(set, [&](const Object& object) {
      if (matches(object.key)) keys.push_back(object.key);
    });
    std::erase_if(keys, [&](const std::string& key) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (catalog_.Remove(key, force, clock_.Now()) == kOk) return false;
      if (const Object* kept = catalog_.index().Find(key)) {
        for (const Replica& replica : kept->replicas) {
          buried = std::min(buried, replica.generation - 1);
        }
      }
      return true;
    });
    response.set_removed(response.removed() + static_cast<int64_t>(keys.size()));
    ListPending(keys, *response.mutable_pending());
    for (proto::PendingOwner& owner : *response.mutable_pending()) owner.clear_keys();
    const std::vector<proto::Tombstone> of_set = catalog_.TakeRemoved();
    removed.insert(removed.end(), of_set.begin(), of_set.end());
  }
  if (log_ != nullptr) log_->Append(removed);
  MutexLock lock(mutex_);
  catalog_.tombstones().AddMatching(pattern, buried);
  // What another call is removing is not there any more, but some may still read it.
  std::vector<std::string> remembered;
  catalog_.ForEachRemembered([&](const std::string& key) {
    if (matches(key)) remembered.push_back(key);
  });
  ListPending(remembered, *response.mutable_pending());
  for (proto::PendingOwner& owner : *response.mutable_pending()) owner.clear_keys();
  AwaitPending(wait_milliseconds, *response.mutable_pending());
  return response;
}

proto::RemoveManyResponse Master::RemoveByRegex(const proto::RemoveByRegexRequest& request) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 pattern(request.pattern(), quiet);
  if (!pattern.ok()) {
    proto::RemoveManyResponse refused;
    refused.set_code(kInvalidParams);
    return refused;
  }
  return RemoveMatching(
      request.pattern(), [&](const std::string& key) { return RE2::PartialMatch(key, pattern); },
      request.force(), request.wait_milliseconds());
}

proto::RemoveManyResponse Master::RemoveAll(const proto::RemoveAllRequest& request) {
  return RemoveMatching(
      "", [](const std::string&) { return true; }, request.force(), request.wait_milliseconds());
}

proto::ResultsResponse Master::ReportLostReplicas(const proto::ReportLostReplicasRequest& request) {
  MutexLock lock(mutex_);
  proto::ResultsResponse response;
  for (const proto::LostReplica& lost : request.replicas()) {
    const ErrorCode code = catalog_.LoseReplica(lost, clock_.Now());
    if (code == kOk) {
      spdlog::warn("replica of '{}' on segment '{}' cannot be read: removed", lost.key(),
                   lost.extent().segment());
    }
    response.add_codes(code);
  }
  return response;
}

proto::ListKeysResponse Master::ListKeys(const proto::ListKeysRequest& request) {
  // The least `limit` keys, the greatest of them on top.
  std::priority_queue<std::string> least;
  for (size_t set = 0; set < ObjectIndex::kSets; ++set) {
    MutexLock lock(mutex_);
    AwaitRecovery();
    catalog_.index().ForEachIn(set, [&](const Object& object) {
      if (object.state != Object::State::kComplete || object.key <= request.after() ||
          !absl::StartsWith(object.key, request.prefix())) {
        return;
      }
      const bool full = request.limit() > 0 && least.size() == request.limit();
      if (full && least.top() < object.key) return;
      if (full) least.pop();
      least.push(object.key);
    });
  }
  proto::ListKeysResponse response;
  for (; !least.empty(); least.pop()) response.add_keys(least.top());
  std::reverse(response.mutable_keys()->begin(), response.mutable_keys()->end());
  return response;
}

proto::ListSegmentsResponse Master::ListSegments(const proto::ListSegmentsRequest&) {
  MutexLock lock(mutex_);
  proto::ListSegmentsResponse response;
  for (const MountedSegment* segment : segments_.All()) {
    *response.add_segments() = segment->description;
    response.add_used(segment->extents.used());
    response.add_largest_free(segment->extents.largest_free());
    response.add_disk_used(segment->stored_bytes);
  }
  return response;
}

PoolUsage Master::usage() const {
  MutexLock lock(mutex_);
  return {.allocated_bytes = segments_.used(),
          .capacity_bytes = segments_.capacity(),
          .keys = catalog_.index().complete_count(),
          .soft_pinned_keys = catalog_.index().soft_pinned_count(),
          .active_clients = clients_.active_count(),
          .segments = segments_.All().size(),
          .fragmentation = segments_.fragmentation(),
          .disk_keys = segments_.stored_count(),
          .disk_bytes = segments_.stored_bytes()};
}

void Master::Maintain() {
  MutexLock lock(mutex_);
  const TimePoint now = clock_.Now();
  for (const std::string& client : clients_.TakeSilent(now, options_.client_ttl)) {
    for (MountedSegment* segment : segments_.OwnedBy(client)) {
      spdlog::warn("client {} has been silent for {:.1f} s: segment '{}' is dropped", client,
                   Seconds(options_.client_ttl), segment->name());
      Unmount(*segment);
    }
  }
  if (!recovered_) registered_.NotifyAll();
  catalog_.ReleaseStalePuts(now);
  catalog_.offloading().Choose(now);
  catalog_.SweepRemembered(now);
}

void Master::ForgiveSilence(Duration stall) {
  MutexLock lock(mutex_);
  clients_.Forgive(stall);
}

bool Master::ContinueEviction() {
  MutexLock lock(mutex_);
  return catalog_.ContinueEviction(clock_.Now());
}

}  // namespace tandem::store
