#include "store/master/testing/pool.h"

#include <algorithm>

namespace tandem::store {
namespace {

proto::PutEndItem Item(const std::string& key, const proto::PutStartResult& started,
                       uint64_t checksum) {
  proto::PutEndItem item;
  item.set_key(key);
  item.set_checksum(checksum);
  for (const proto::Extent& extent : started.extents()) {
    item.add_generations(extent.generation());
  }
  return item;
}

}  // namespace

Pool::Pool(const MasterOptions& options, RemovalLog* log) : master(options, metrics, clock, log) {}

proto::MountSegmentResponse Pool::Mount(const std::string& name, uint64_t bytes, bool exact) {
  proto::MountSegmentRequest request;
  request.set_client_id(name);
  request.mutable_segment()->set_name(name);
  request.mutable_segment()->set_size(bytes);
  request.set_boot_id("boot");
  request.set_host_budget(uint64_t{1} << 40);
  request.set_exact(exact);
  return master.MountSegment(request);
}

proto::PingResponse Pool::Ping(const std::string& client, uint64_t forgotten_through,
                               const std::vector<uint64_t>& held_generations) {
  proto::PingRequest request;
  request.set_client_id(client);
  request.set_forgotten_through(forgotten_through);
  for (const uint64_t generation : held_generations) request.add_held_generations(generation);
  return master.Ping(request);
}

proto::PutStartResult Pool::Start(const std::string& writer, const std::string& key, uint64_t size,
                                  const proto::ReplicateConfig& config) {
  proto::PutStartRequest request;
  request.set_client_id(writer);
  request.add_keys(key);
  request.add_sizes(size);
  *request.mutable_config() = config;
  return master.PutStart(request).results(0);
}

int Pool::End(const std::string& writer, const std::string& key,
              const proto::PutStartResult& started, uint64_t checksum) {
  proto::PutEndRequest request;
  request.set_client_id(writer);
  *request.add_items() = Item(key, started, checksum);
  return master.PutEnd(request).codes(0);
}

int Pool::Revoke(const std::string& writer, const std::string& key,
                 const proto::PutStartResult& started) {
  proto::PutRevokeRequest request;
  request.set_client_id(writer);
  *request.add_items() = Item(key, started, 0);
  return master.PutRevoke(request).codes(0);
}

int Pool::Put(const std::string& writer, const std::string& key, uint64_t size,
              const proto::ReplicateConfig& config) {
  const proto::PutStartResult started = Start(writer, key, size, config);
  return started.code() != kOk ? started.code() : End(writer, key, started);
}

proto::GetReplicasResult Pool::Get(const std::string& key, bool without_lease) {
  proto::GetReplicasRequest request;
  request.add_keys(key);
  request.set_without_lease(without_lease);
  return master.GetReplicas(request).results(0);
}

bool Pool::Exists(const std::string& key) { return Get(key, true).code() == kOk; }

int Pool::Remove(const std::string& key, bool force) {
  proto::RemoveRequest request;
  request.add_keys(key);
  request.set_force(force);
  return master.Remove(request).codes(0);
}

int Pool::Lose(const std::string& key, const proto::Extent& extent) {
  proto::ReportLostReplicasRequest request;
  proto::LostReplica& lost = *request.add_replicas();
  lost.set_key(key);
  *lost.mutable_extent() = extent;
  return master.ReportLostReplicas(request).codes(0);
}

std::vector<std::string> Pool::Keys() {
  const proto::ListKeysResponse response = master.ListKeys({});
  return {response.keys().begin(), response.keys().end()};
}

std::vector<std::string> Pool::Register(const std::string& client,
                                        const std::vector<proto::HeldObject>& held, bool complete,
                                        const proto::PingResponse& heard) {
  proto::RegisterObjectsRequest request;
  request.set_client_id(client);
  for (const proto::HeldObject& object : held) *request.add_objects() = object;
  request.set_complete(complete);
  request.set_heard_through(heard.heard_through());
  request.set_heard_epoch(heard.epoch());
  const proto::RegisterObjectsResponse response = master.RegisterObjects(request);
  std::vector<std::string> refused;
  for (const proto::ObjectExtent& object : response.refused()) refused.push_back(object.key());
  return refused;
}

void Pool::Pass(Duration time, const std::vector<std::string>& pinging) {
  while (time > Duration::zero()) {
    const Duration step = std::min<Duration>(time, std::chrono::seconds(1));
    clock.Advance(step);
    time -= step;
    for (const std::string& client : pinging) Ping(client);
    master.Maintain();
  }
}

proto::HeldObject Held(const std::string& key, const proto::GetReplicasResult& found) {
  proto::HeldObject held;
  held.set_key(key);
  *held.mutable_extent() = found.extents(0);
  held.set_size(found.size());
  held.set_checksum(found.checksum());
  return held;
}

}  // namespace tandem::store
