#include "store/master/master.h"

#include <fmt/format.h>
#include <re2/re2.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_set.h"
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

template <typename Result, typename Response>
void DescribeReplicas(const Object& object, Result& result, SegmentCollector<Response>& segments) {
  for (const Replica& replica : object.replicas) {
    proto::Extent& extent = *result.add_extents();
    extent.set_segment(replica.segment->name());
    extent.set_offset(replica.offset);
    extent.set_length(object.size);
    extent.set_generation(replica.generation);
    segments.Add(*replica.segment);
  }
}

}  // namespace

Master::Master(const MasterOptions& options, MasterMetrics& metrics, const Clock& clock)
    : options_(options),
      clock_(clock),
      epoch_(fmt::format("{:x}", options.first_generation)),
      clients_(options.first_generation),
      catalog_(options, segments_, clients_, metrics) {}

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
  if (grant.code != kOk) {
    spdlog::warn("segment '{}' of client {} refused: {}", name, request.client_id(), grant.reason);
    return response;
  }
  clients_.Hear(request.client_id(), now);
  if (!known) {
    if (request.exact()) segments_.Find(name)->closed_until = now + options_.client_ttl;
    spdlog::info("segment '{}' of client {} mounted, {} bytes{}{}", name, request.client_id(),
                 grant.bytes, grant.reason.empty() ? "" : ": ", grant.reason);
  }
  return response;
}

proto::UnmountSegmentResponse Master::UnmountSegment(const proto::UnmountSegmentRequest& request) {
  MutexLock lock(mutex_);
  proto::UnmountSegmentResponse response;
  MountedSegment* segment = segments_.Find(request.segment());
  if (segment == nullptr || segment->owner() != request.client_id()) {
    response.set_code(kSegmentNotFound);
  } else {
    spdlog::info("segment '{}' of client {} unmounted", request.segment(), request.client_id());
    Unmount(*segment);
  }
  return response;
}

void Master::Unmount(MountedSegment& segment) {
  catalog_.DropReplicasOn(segment);
  segments_.Unmount(std::string(segment.name()));
}

proto::PingResponse Master::Ping(const proto::PingRequest& request) {
  MutexLock lock(mutex_);
  clients_.Hear(request.client_id(), clock_.Now());
  clients_.Acknowledge(request.client_id(), request.forgotten_through());
  proto::PingResponse response;
  response.set_epoch(epoch_);
  response.set_mount_again(segments_.OwnedBy(request.client_id()).empty());
  clients_.ListRemovals(request.client_id(), response);
  return response;
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
  for (const proto::HeldObject* held : objects) {
    if (catalog_.Register(request.client_id(), *held, now)) continue;
    proto::ObjectExtent& refused = *response.add_refused();
    refused.set_key(held->key());
    *refused.mutable_extent() = held->extent();
  }
  for (MountedSegment* segment : segments_.OwnedBy(request.client_id())) {
    if (request.complete()) segment->closed_until = TimePoint::min();
  }
  spdlog::info("client {} registered {} objects, {} of them refused", request.client_id(),
               request.objects_size(), response.refused_size());
  return response;
}

proto::PutStartResponse Master::PutStart(const proto::PutStartRequest& request) {
  proto::PutStartResponse response;
  const bool valid = request.keys_size() == request.sizes_size();
  MutexLock lock(mutex_);
  SegmentCollector segments(response);
  const TimePoint now = clock_.Now();
  for (int i = 0; i < request.keys_size(); ++i) {
    proto::PutStartResult& result = *response.add_results();
    const Object* put = nullptr;
    result.set_code(valid ? catalog_.StartPut({request.client_id(), request.keys(i),
                                               request.sizes(i), request.config()},
                                              now, &put)
                          : kInvalidParams);
    if (put != nullptr) DescribeReplicas(*put, result, segments);
  }
  return response;
}

proto::ResultsResponse Master::PutEnd(const proto::PutEndRequest& request) {
  MutexLock lock(mutex_);
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
  proto::GetReplicasResponse response;
  response.set_lease_milliseconds(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease_ttl).count());
  MutexLock lock(mutex_);
  SegmentCollector segments(response);
  const TimePoint now = clock_.Now();
  for (const std::string& key : request.keys()) {
    proto::GetReplicasResult& result = *response.add_results();
    const Object* object = nullptr;
    result.set_code(request.without_lease() ? catalog_.Find(key, &object)
                                            : catalog_.FindAndLease(key, now, &object));
    if (object == nullptr) continue;
    result.set_size(object->size);
    result.set_checksum(object->checksum);
    DescribeReplicas(*object, result, segments);
  }
  return response;
}

proto::ExistResponse Master::Exist(const proto::KeysRequest& request) {
  MutexLock lock(mutex_);
  proto::ExistResponse response;
  const TimePoint now = clock_.Now();
  for (const std::string& key : request.keys()) {
    const Object* object = nullptr;
    response.add_exists(catalog_.FindAndLease(key, now, &object) == kOk ? 1 : 0);
  }
  return response;
}

proto::ResultsResponse Master::Remove(const proto::RemoveRequest& request) {
  MutexLock lock(mutex_);
  proto::ResultsResponse response;
  const TimePoint now = clock_.Now();
  for (const std::string& key : request.keys()) {
    response.add_codes(catalog_.Remove(key, request.force(), now));
  }
  return response;
}

template <typename Matches>
int64_t Master::RemoveMatching(Matches matches, bool force) {
  std::vector<std::string> keys;
  catalog_.index().ForEach([&](const Object& object) {
    if (matches(object.key)) keys.push_back(object.key);
  });
  int64_t removed = 0;
  for (const std::string& key : keys) {
    if (catalog_.Remove(key, force, clock_.Now()) == kOk) ++removed;
  }
  return removed;
}

proto::RemoveManyResponse Master::RemoveByRegex(const proto::RemoveByRegexRequest& request) {
  proto::RemoveManyResponse response;
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 pattern(request.pattern(), quiet);
  if (!pattern.ok()) {
    response.set_code(kInvalidParams);
    return response;
  }
  MutexLock lock(mutex_);
  response.set_removed(RemoveMatching(
      [&](const std::string& key) { return RE2::PartialMatch(key, pattern); }, request.force()));
  return response;
}

proto::RemoveManyResponse Master::RemoveAll(const proto::RemoveAllRequest& request) {
  MutexLock lock(mutex_);
  proto::RemoveManyResponse response;
  response.set_removed(RemoveMatching([](const std::string&) { return true; }, request.force()));
  return response;
}

proto::ResultsResponse Master::ReportLostReplicas(const proto::ReportLostReplicasRequest& request) {
  MutexLock lock(mutex_);
  proto::ResultsResponse response;
  for (const proto::LostReplica& lost : request.replicas()) {
    const ErrorCode code = catalog_.LoseReplica(lost);
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
  {
    MutexLock lock(mutex_);
    catalog_.index().ForEach([&](const Object& object) {
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
          .segments = segments_.All().size()};
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
  catalog_.ReleaseStalePuts(now);
}

}  // namespace tandem::store
