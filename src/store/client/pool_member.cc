#include "store/client/pool_member.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "base/memory_budget.h"
#include "base/status.h"

namespace tandem::store {
namespace {

/// Holds on to an object's bytes, wherever they are.
class HeldHandle : public ReadHandle {
 public:
  explicit HeldHandle(transfer::ReadableBytes bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> bytes() const override { return bytes_.bytes; }

 private:
  const transfer::ReadableBytes bytes_;
};

std::string RandomId() {
  std::array<uint8_t, 16> bytes{};
  // Cannot fall short for so few bytes.
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  return ToHex(bytes);
}

/// Of a read that failed: what callers are told.
ErrorCode ReadError(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? kInvalidParams : kTransferFailed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PoolMember>> PoolMember::Join(const StoreClientOptions& options,
                                                             std::unique_ptr<MasterClient> master,
                                                             std::string host_identity,
                                                             MetricRegistry& metrics,
                                                             const Clock& clock) {
  std::unique_ptr<PoolMember> member(
      new PoolMember(options, std::move(master), std::move(host_identity), metrics, clock));
  RETURN_IF_ERROR(member->Open());
  return member;
}

PoolMember::PoolMember(const StoreClientOptions& options, std::unique_ptr<MasterClient> master,
                       std::string host_identity, MetricRegistry& metrics, const Clock& clock)
    : options_(options),
      host_identity_(std::move(host_identity)),
      client_id_(RandomId()),
      clock_(clock),
      master_(std::move(master)),
      counters_(metrics),
      found_(clock),
      buffers_(options.local_buffer_bytes) {}

absl::Status PoolMember::Open() {
  const bool lends = options_.segment_bytes > 0;
  // All segments of a host together stay within half of what memory there is.
  const uint64_t host_budget = AvailableMemory() / 2;
  const uint64_t size = std::min(options_.segment_bytes, host_budget);
  if (size > 0) RETURN_IF_ERROR(owner_.Open(size));
  // Who lends no memory is asked for nothing, and need not listen.
  ASSIGN_OR_RETURN(transport_, transfer::Transport::Create({.hostname = options_.local_hostname,
                                                            .listen = lends,
                                                            .protocol = options_.protocol,
                                                            .device_name = options_.device_name},
                                                           owner_));
  segment_name_ = transport_->endpoint();

  const MetadataEntry entry{options_.local_hostname, segment_name_,    transport_->port(),
                            options_.protocol,       owner_.address(), size};
  registration_ = std::make_unique<MetadataRegistration>(lends ? options_.metadata_server : "",
                                                         entry, options_.call_timeout);
  membership_ = std::make_unique<Membership>(
      Membership::Options{client_id_, options_.master_address, options_.call_timeout},
      DescribeSegment(options_.segment_bytes), host_budget, *master_, owner_, mappings_,
      *registration_, revocations_);
  RETURN_IF_ERROR(membership_->Join());
  RETURN_IF_ERROR(registration_->Register());
  reader_ = std::make_unique<ReplicaReader>(
      ReplicaReader::Options{segment_name_, host_identity_, options_.verify_local_reads,
                             options_.transfer_timeout},
      owner_, mappings_, *transport_, buffers_, counters_);
  writer_ = std::make_unique<ObjectWriter>(
      ObjectWriter::Options{client_id_, segment_name_, options_.transfer_timeout}, *master_, owner_,
      *transport_, buffers_, counters_, revocations_);
  membership_->Start();
  return absl::OkStatus();
}

proto::Segment PoolMember::DescribeSegment(uint64_t size) const {
  proto::Segment segment;
  segment.set_name(segment_name_);
  segment.set_client_id(client_id_);
  segment.set_size(size);
  segment.set_host_identity(host_identity_);
  segment.set_fd_socket(owner_.socket_name());
  segment.set_data_endpoint(segment_name_);
  segment.set_protocol(options_.protocol);
  return segment;
}

PoolMember::~PoolMember() {
  if (membership_ == nullptr) return;
  membership_->Leave();
  const absl::Status status = registration_->Deregister();
  if (!status.ok()) spdlog::debug("{}", std::string(status.message()));
}

std::vector<std::unique_ptr<Reservation>> PoolMember::Reserve(std::span<const std::string> keys,
                                                              std::span<const uint64_t> sizes,
                                                              const ReplicateConfig& config,
                                                              TimePoint deadline,
                                                              std::vector<ErrorCode>* codes) {
  return writer_->Reserve(keys, sizes, config, deadline, codes);
}

std::vector<ErrorCode> PoolMember::Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                          TimePoint deadline) {
  return writer_->Commit(std::move(reservations), deadline);
}

std::vector<PoolMember::Lookup> PoolMember::AskMaster(std::span<const std::string> keys,
                                                      TimePoint deadline) {
  std::vector<Lookup> lookups(keys.size());
  proto::GetReplicasRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.set_client_id(client_id_);
  const TimePoint asked = clock_.Now();
  const auto response = master_->GetReplicas(request, deadline);
  if (!response.ok() || static_cast<size_t>(response->results_size()) != keys.size()) {
    return lookups;
  }
  const TimePoint expires = asked + std::chrono::milliseconds(response->lease_milliseconds());
  const SegmentsByName segments = IndexSegments(response->segments());
  for (size_t i = 0; i < keys.size(); ++i) {
    const proto::GetReplicasResult& result = response->results(static_cast<int>(i));
    lookups[i].code = static_cast<ErrorCode>(result.code());
    if (result.code() != kOk) continue;
    FoundObject object{result.size(), result.checksum(), {}, expires};
    for (const proto::Extent& extent : result.extents()) {
      const auto segment = segments.find(extent.segment());
      if (segment != segments.end())
        object.replicas.push_back({FromProto(extent), segment->second});
    }
    lookups[i].object = std::make_shared<const FoundObject>(std::move(object));
    found_.Remember(keys[i], lookups[i].object);
  }
  return lookups;
}

std::vector<PoolMember::Lookup> PoolMember::LookUp(std::span<const std::string> keys,
                                                   TimePoint deadline) {
  std::vector<Lookup> lookups(keys.size());
  std::vector<std::string> unknown;
  std::vector<size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) {
    lookups[i] = {kOk, found_.Recall(keys[i])};
    if (lookups[i].object != nullptr) continue;
    unknown.push_back(keys[i]);
    places.push_back(i);
  }
  if (unknown.empty()) return lookups;
  std::vector<Lookup> asked = AskMaster(unknown, deadline);
  for (size_t i = 0; i < places.size(); ++i) lookups[places[i]] = std::move(asked[i]);
  return lookups;
}

std::vector<int64_t> PoolMember::Find(std::span<const std::string> keys, TimePoint deadline) {
  std::vector<int64_t> sizes;
  for (const Lookup& lookup : AskMaster(keys, deadline)) {
    sizes.push_back(lookup.code == kOk ? static_cast<int64_t>(lookup.object->size)
                                       : static_cast<int64_t>(lookup.code));
  }
  return sizes;
}

std::vector<std::unique_ptr<ReadHandle>> PoolMember::Read(std::span<const std::string> keys,
                                                          TimePoint deadline,
                                                          std::vector<ErrorCode>* codes) {
  std::vector<std::unique_ptr<ReadHandle>> handles(keys.size());
  codes->assign(keys.size(), kOk);
  const std::vector<Lookup> lookups = LookUp(keys, deadline);
  std::vector<ReplicaReader::Wanted> wanted(keys.size());
  std::vector<ReplicaReader::Wanted*> there;
  for (size_t i = 0; i < keys.size(); ++i) {
    (*codes)[i] = lookups[i].code;
    wanted[i].object = lookups[i].object;
    if (lookups[i].code == kOk) there.push_back(&wanted[i]);
  }
  reader_->Read(there, deadline);

  proto::ReportLostReplicasRequest lost;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (lookups[i].code != kOk) continue;
    ReportLost(keys[i], wanted[i].lost, lost);
    if (wanted[i].bytes.ok()) {
      handles[i] = std::make_unique<HeldHandle>(*std::move(wanted[i].bytes));
    } else {
      spdlog::warn("{} could not be read: {}", keys[i],
                   std::string(wanted[i].bytes.status().message()));
      (*codes)[i] = ReadError(wanted[i].bytes.status());
    }
  }
  if (lost.replicas_size() > 0) (void)master_->ReportLostReplicas(lost, deadline);
  return handles;
}

void PoolMember::ReportLost(const std::string& key, const std::vector<ReplicaLocation>& lost,
                            proto::ReportLostReplicasRequest& report) {
  if (lost.empty()) return;
  found_.Forget(key);
  for (const ReplicaLocation& replica : lost) {
    counters_.lost_replicas.Increment();
    proto::LostReplica& item = *report.add_replicas();
    item.set_key(key);
    *item.mutable_extent() = ToProto(replica.extent, replica.segment->name());
  }
}

std::vector<int64_t> PoolMember::ReadInto(std::span<const std::string> keys,
                                          std::span<const std::span<std::byte>> buffers,
                                          TimePoint deadline) {
  std::vector<int64_t> results;
  if (keys.size() != buffers.size()) return std::vector<int64_t>(keys.size(), kInvalidParams);
  // In windows that fit the local buffers, lest the last wait for room that the first hold.
  while (results.size() < keys.size()) {
    const size_t first = results.size();
    uint64_t bytes = buffers[first].size();
    size_t end = first + 1;
    while (end < keys.size() && bytes + buffers[end].size() <= buffers_.capacity()) {
      bytes += buffers[end++].size();
    }
    std::vector<ErrorCode> codes;
    const auto handles = Read(keys.subspan(first, end - first), deadline, &codes);
    for (size_t i = 0; i < handles.size(); ++i) {
      const std::span<std::byte> buffer = buffers[first + i];
      if (handles[i] == nullptr) {
        results.push_back(codes[i]);
      } else if (handles[i]->bytes().size() > buffer.size()) {
        results.push_back(kInvalidParams);
      } else {
        std::memcpy(buffer.data(), handles[i]->bytes().data(), handles[i]->bytes().size());
        results.push_back(static_cast<int64_t>(handles[i]->bytes().size()));
      }
    }
  }
  return results;
}

std::vector<ErrorCode> PoolMember::Put(std::span<const std::string> keys,
                                       std::span<const std::span<const std::byte>> values,
                                       const ReplicateConfig& config, TimePoint deadline) {
  std::vector<uint64_t> sizes;
  for (const std::span<const std::byte>& value : values) sizes.push_back(value.size());
  std::vector<ErrorCode> codes;
  std::vector<std::unique_ptr<Reservation>> reserved =
      Reserve(keys, sizes, config, deadline, &codes);
  std::vector<std::unique_ptr<Reservation>> filled;
  std::vector<size_t> places;
  for (size_t i = 0; i < reserved.size(); ++i) {
    if (reserved[i] == nullptr) continue;
    std::memcpy(reserved[i]->bytes().data(), values[i].data(), values[i].size());
    filled.push_back(std::move(reserved[i]));
    places.push_back(i);
  }
  if (filled.empty()) return codes;
  const std::vector<ErrorCode> committed = Commit(std::move(filled), deadline);
  for (size_t i = 0; i < places.size(); ++i) codes[places[i]] = committed[i];
  return codes;
}

std::vector<int> PoolMember::Exist(std::span<const std::string> keys, TimePoint deadline) {
  proto::KeysRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  const auto response = master_->Exist(request, deadline);
  if (!response.ok() || static_cast<size_t>(response->exists_size()) != keys.size()) {
    return std::vector<int>(keys.size(), kRpcFailed);
  }
  return {response->exists().begin(), response->exists().end()};
}

std::vector<ErrorCode> PoolMember::Remove(std::span<const std::string> keys, bool force,
                                          TimePoint deadline) {
  std::vector<ErrorCode> codes(keys.size(), kRpcFailed);
  proto::RemoveRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.set_force(force);
  for (const std::string& key : keys) found_.Forget(key);
  const auto response = master_->Remove(request, deadline);
  if (!response.ok() || static_cast<size_t>(response->codes_size()) != keys.size()) return codes;
  for (size_t i = 0; i < keys.size(); ++i) {
    codes[i] = static_cast<ErrorCode>(response->codes(static_cast<int>(i)));
  }
  membership_->Wake();
  return codes;
}

int64_t PoolMember::RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) {
  proto::RemoveByRegexRequest request;
  request.set_pattern(pattern);
  request.set_force(force);
  const auto response = master_->RemoveByRegex(request, deadline);
  if (!response.ok()) return kRpcFailed;
  return response->code() == kOk ? response->removed() : response->code();
}

int64_t PoolMember::RemoveAll(bool force, TimePoint deadline) {
  proto::RemoveAllRequest request;
  request.set_force(force);
  const auto response = master_->RemoveAll(request, deadline);
  if (!response.ok()) return kRpcFailed;
  return response->code() == kOk ? response->removed() : response->code();
}

absl::StatusOr<std::vector<std::string>> PoolMember::ListKeys(const std::string& prefix, int limit,
                                                              const std::string& after,
                                                              TimePoint deadline) {
  proto::ListKeysRequest request;
  request.set_prefix(prefix);
  request.set_limit(static_cast<uint32_t>(std::max(0, limit)));
  request.set_after(after);
  ASSIGN_OR_RETURN(const proto::ListKeysResponse response, master_->ListKeys(request, deadline));
  return std::vector<std::string>(response.keys().begin(), response.keys().end());
}

}  // namespace tandem::store
