#include "store/client/pool_member.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "base/hash.h"
#include "base/host_port.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "store/client/key_batches.h"
#include "transfer/network_interface.h"

namespace tandem::store {
namespace {

/// To read an object that is removed and put again all the while.
constexpr int kMostAttempts = 3;

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

uint64_t SizeOf(const MutableParts& parts) {
  uint64_t size = 0;
  for (const std::span<std::byte> part : parts) size += part.size();
  return size;
}

/// Adds the copies that bring an object's bytes into `parts`, which hold them.
void Scatter(std::span<const std::byte> bytes, const MutableParts& parts,
             std::vector<Copy>& copies) {
  for (const std::span<std::byte> part : parts) {
    const size_t size = std::min(part.size(), bytes.size());
    if (size > 0) copies.push_back({part.first(size), bytes.first(size)});
    bytes = bytes.subspan(size);
  }
}

/// Of a read that failed: what callers are told.
ErrorCode ReadError(const absl::Status& status) {
  if (absl::IsUnauthenticated(status)) return kRpcFailed;
  return absl::IsInvalidArgument(status) ? kInvalidParams : kTransferFailed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PoolMember>> PoolMember::Join(
    const StoreClientOptions& options, const Security& security,
    std::unique_ptr<MasterClient> master, std::string host_identity, MetricRegistry& metrics,
    const Clock& clock, DiskTier::MakeIo make_io) {
  if (make_io == nullptr) make_io = &DiskIo::Create;
  const auto named = ParseHostPort(options.local_hostname);
  if (!named.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("local_hostname: {}", std::string(named.status().message())));
  }
  StoreClientOptions without_port = options;
  without_port.local_hostname = named->host;
  std::unique_ptr<PoolMember> member(new PoolMember(without_port, security, std::move(master),
                                                    std::move(host_identity), metrics, clock,
                                                    std::move(make_io)));
  RETURN_IF_ERROR(member->Open(named->port));
  return member;
}

PoolMember::PoolMember(const StoreClientOptions& options, const Security& security,
                       std::unique_ptr<MasterClient> master, std::string host_identity,
                       MetricRegistry& metrics, const Clock& clock, DiskTier::MakeIo make_io)
    : options_(options),
      security_(security),
      host_identity_(std::move(host_identity)),
      client_id_(RandomId()),
      clock_(clock),
      master_(std::move(master)),
      revocations_(
          std::make_shared<Revocations>(Revocations::Options{client_id_, options.call_timeout})),
      counters_(metrics),
      found_(clock),
      buffers_(options.local_buffer_bytes),
      disk_(options.local_hostname, std::move(make_io), metrics),
      owner_(&disk_) {}

absl::Status PoolMember::Open(int port) {
  const bool lends = options_.segment_bytes > 0;
  // All segments of a host together stay within half of what memory there is.
  const uint64_t host_budget = AvailableMemory() / 2;
  const uint64_t size = std::min(options_.segment_bytes, host_budget);
  if (size > 0) RETURN_IF_ERROR(owner_.Open(size));
  // Who lends no memory is asked for nothing, and need not listen.
  ASSIGN_OR_RETURN(transport_, transfer::Transport::Create({.hostname = options_.local_hostname,
                                                            .listen = lends,
                                                            .port = port,
                                                            .protocol = options_.protocol,
                                                            .device_name = options_.device_name,
                                                            .security = security_},
                                                           owner_));
  segment_name_ = transport_->endpoint();
  if (lends) {
    for (const std::string& warning :
         {transfer::ForeignHostnameWarning(options_.local_hostname),
          ExposureWarning("data is served", options_.local_hostname, security_)}) {
      if (!warning.empty()) spdlog::warn("{}", warning);
    }
  }

  const MetadataEntry entry{options_.local_hostname, segment_name_,    transport_->port(),
                            options_.protocol,       owner_.address(), size};
  ASSIGN_OR_RETURN(registration_,
                   MetadataRegistration::Create(lends ? options_.metadata_server : "", entry,
                                                options_.call_timeout, security_));
  offloader_ = std::make_unique<Offloader>(
      Offloader::Options{client_id_, segment_name_, options_.call_timeout}, *master_, owner_,
      disk_);
  membership_ = std::make_unique<Membership>(
      Membership::Options{client_id_, options_.master_address, options_.call_timeout},
      DescribeSegment(options_.segment_bytes), host_budget, *master_, owner_, disk_, *offloader_,
      mappings_, *registration_);
  RETURN_IF_ERROR(membership_->Join());
  reader_ = std::make_unique<ReplicaReader>(
      ReplicaReader::Options{segment_name_, host_identity_, options_.verify_local_reads,
                             options_.transfer_timeout},
      owner_, mappings_, *transport_, buffers_, counters_);
  writer_ = std::make_unique<ObjectWriter>(
      ObjectWriter::Options{client_id_, segment_name_, host_identity_, options_.transfer_timeout},
      *master_, owner_, mappings_, *transport_, buffers_, copy_threads_, counters_, revocations_);
  remover_ = std::make_unique<Remover>(*master_, *transport_, options_.transfer_timeout);
  membership_->Start();
  revocations_->Start(*master_);
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
  revocations_->Stop();
  if (membership_ == nullptr) return;
  offloader_->Stop();
  membership_->Leave();
  const absl::Status status = registration_->Deregister();
  if (!status.ok()) spdlog::debug("{}", std::string(status.message()));
}

std::vector<std::unique_ptr<Reservation>> PoolMember::Reserve(std::span<const std::string> keys,
                                                              std::span<const uint64_t> sizes,
                                                              const ReplicateConfig& config,
                                                              const CallContext& call,
                                                              std::vector<ErrorCode>* codes) {
  return writer_->Reserve(keys, sizes, config, call, codes);
}

std::vector<ErrorCode> PoolMember::Commit(std::vector<std::unique_ptr<Reservation>> reservations,
                                          const CallContext& call) {
  return writer_->Commit(reservations, call);
}

std::vector<PoolMember::Lookup> PoolMember::AskMaster(std::span<const std::string> keys,
                                                      const CallContext& call) {
  std::vector<Lookup> lookups(keys.size());
  ForEachBatch(keys, [&](size_t first, std::span<const std::string> batch) {
    AskMaster(batch, call, std::span(lookups).subspan(first, batch.size()));
  });
  return lookups;
}

void PoolMember::AskMaster(std::span<const std::string> keys, const CallContext& call,
                           std::span<Lookup> lookups) {
  proto::GetReplicasRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.set_client_id(client_id_);
  request.set_request_id(call.request_id);
  const TimePoint asked = clock_.Now();
  const auto response = master_->GetReplicas(request, call.deadline);
  if (!response.ok() || static_cast<size_t>(response->results_size()) != keys.size()) return;
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
        object.replicas.push_back(
            {FromProto(extent), segment->second, UnpackGrant(extent.grant()), extent.on_disk()});
    }
    lookups[i].object = std::make_shared<const FoundObject>(std::move(object));
    found_.Remember(keys[i], lookups[i].object);
  }
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

std::vector<int64_t> PoolMember::Find(std::span<const std::string> keys, const CallContext& call) {
  std::vector<int64_t> sizes;
  for (const Lookup& lookup : AskMaster(keys, call)) {
    sizes.push_back(lookup.code == kOk ? static_cast<int64_t>(lookup.object->size)
                                       : static_cast<int64_t>(lookup.code));
  }
  return sizes;
}

std::vector<std::unique_ptr<ReadHandle>> PoolMember::Read(std::span<const std::string> keys,
                                                          TimePoint deadline,
                                                          std::vector<ErrorCode>* codes) {
  return ReadSome(keys, LookUp(keys, deadline), {}, deadline, codes);
}

void PoolMember::ReadEach(std::span<const std::string> keys, TimePoint deadline, TakeObject take) {
  const std::vector<Lookup> lookups = LookUp(keys, deadline);
  for (size_t first = 0; first < keys.size();) {
    const std::span<const Lookup> some = ReadAtOnce(std::span(lookups).subspan(first));
    std::vector<ErrorCode> codes;
    auto handles = ReadSome(keys.subspan(first, some.size()), {some.begin(), some.end()}, {},
                            deadline, &codes);
    for (size_t i = 0; i < handles.size(); ++i) take(first + i, std::move(handles[i]), codes[i]);
    first += some.size();
  }
}

std::span<const PoolMember::Lookup> PoolMember::ReadAtOnce(std::span<const Lookup> lookups) const {
  const auto received = [this](const Lookup& lookup) -> uint64_t {
    const FoundObject* object = lookup.object.get();
    return object != nullptr && reader_->MayReceive(*object) ? object->size : 0;
  };
  uint64_t bytes = received(lookups[0]);
  size_t count = 1;
  while (count < std::min(lookups.size(), kMostKeysAtOnce) &&
         bytes + received(lookups[count]) <= buffers_.capacity()) {
    bytes += received(lookups[count++]);
  }
  return lookups.first(count);
}

std::vector<std::unique_ptr<ReadHandle>> PoolMember::ReadSome(
    std::span<const std::string> keys, std::vector<Lookup> lookups,
    std::span<const std::span<std::byte>> into, TimePoint deadline, std::vector<ErrorCode>* codes) {
  std::vector<std::unique_ptr<ReadHandle>> handles(keys.size());
  codes->assign(keys.size(), kOk);
  std::vector<size_t> left(keys.size());
  std::iota(left.begin(), left.end(), 0);
  uint64_t kept = 0;
  for (int attempt = 1; !left.empty(); ++attempt) {
    const std::vector<size_t> stale =
        ReadFound(keys, left, lookups, into, deadline, kept, handles, *codes);
    // An object that is not where it was said to be has been removed meanwhile, and another one may
    // have been put under its key; or all of it is lost, which the master has now been told.
    if (stale.empty() || attempt == kMostAttempts) break;
    std::vector<std::string> again;
    again.reserve(stale.size());
    for (const size_t i : stale) again.push_back(keys[i]);
    lookups = AskMaster(again, deadline);
    left = stale;
  }
  return handles;
}

std::vector<size_t> PoolMember::ReadFound(std::span<const std::string> keys,
                                          const std::vector<size_t>& places,
                                          const std::vector<Lookup>& lookups,
                                          std::span<const std::span<std::byte>> into,
                                          TimePoint deadline, uint64_t& kept,
                                          std::vector<std::unique_ptr<ReadHandle>>& handles,
                                          std::vector<ErrorCode>& codes) {
  std::vector<ReplicaReader::Wanted> wanted(places.size());
  std::vector<ReplicaReader::Wanted*> there;
  for (size_t i = 0; i < places.size(); ++i) {
    codes[places[i]] = lookups[i].code;
    wanted[i].object = lookups[i].object;
    if (lookups[i].code != kOk) continue;
    if (!into.empty() && into[places[i]].size() >= lookups[i].object->size) {
      wanted[i].into = into[places[i]];
    }
    there.push_back(&wanted[i]);
  }
  reader_->Read(there, deadline, kept);

  proto::ReportLostReplicasRequest lost;
  std::vector<size_t> stale;
  for (size_t i = 0; i < places.size(); ++i) {
    if (lookups[i].code != kOk) continue;
    const size_t place = places[i];
    ReportLost(keys[place], wanted[i].lost, lost);
    if (wanted[i].bytes.ok()) {
      handles[place] = std::make_unique<HeldHandle>(*std::move(wanted[i].bytes));
      continue;
    }
    spdlog::warn("{} could not be read: {}", keys[place],
                 std::string(wanted[i].bytes.status().message()));
    codes[place] = ReadError(wanted[i].bytes.status());
    if (!wanted[i].lost.empty()) stale.push_back(place);
  }
  if (lost.replicas_size() > 0) (void)master_->ReportLostReplicas(lost, deadline);
  return stale;
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
    item.mutable_extent()->set_on_disk(replica.on_disk);
  }
}

std::vector<int64_t> PoolMember::ReadInto(std::span<const std::string> keys,
                                          std::span<const MutableParts> buffers,
                                          TimePoint deadline) {
  if (buffers.size() != keys.size()) return std::vector<int64_t>(keys.size(), kInvalidParams);
  const std::vector<Lookup> lookups = LookUp(keys, deadline);
  std::vector<int64_t> results;
  while (results.size() < keys.size()) {
    const size_t first = results.size();
    const std::span<const Lookup> some = ReadAtOnce(std::span(lookups).subspan(first));
    std::vector<std::span<std::byte>> into;
    for (const MutableParts& buffer : buffers.subspan(first, some.size())) {
      into.push_back(buffer.size() == 1 ? buffer[0] : std::span<std::byte>());
    }
    std::vector<ErrorCode> codes;
    const auto handles = ReadSome(keys.subspan(first, some.size()), {some.begin(), some.end()},
                                  into, deadline, &codes);
    std::vector<Copy> copies;
    for (size_t i = 0; i < handles.size(); ++i) {
      const MutableParts& buffer = buffers[first + i];
      if (handles[i] == nullptr) {
        results.push_back(codes[i]);
      } else if (handles[i]->bytes().size() > SizeOf(buffer)) {
        results.push_back(kInvalidParams);
      } else {
        const bool copied = handles[i]->bytes().data() == into[i].data();
        if (!copied) Scatter(handles[i]->bytes(), buffer, copies);
        results.push_back(static_cast<int64_t>(handles[i]->bytes().size()));
      }
    }
    CopyAll(copies, copy_threads_);
  }
  return results;
}

std::vector<ErrorCode> PoolMember::Put(std::span<const std::string> keys,
                                       std::span<const Parts> values, const ReplicateConfig& config,
                                       TimePoint deadline) {
  return writer_->Put(keys, values, config, deadline);
}

std::vector<int> PoolMember::Exist(std::span<const std::string> keys, TimePoint deadline) {
  std::vector<int> answers(keys.size(), kRpcFailed);
  ForEachBatch(keys, [&](size_t first, std::span<const std::string> batch) {
    proto::KeysRequest request;
    request.mutable_keys()->Add(batch.begin(), batch.end());
    const auto response = master_->Exist(request, deadline);
    if (!response.ok() || static_cast<size_t>(response->exists_size()) != batch.size()) return;
    std::copy(response->exists().begin(), response->exists().end(),
              answers.begin() + static_cast<std::ptrdiff_t>(first));
  });
  return answers;
}

std::vector<ErrorCode> PoolMember::Remove(std::span<const std::string> keys, bool force,
                                          TimePoint deadline) {
  for (const std::string& key : keys) found_.Forget(key);
  return remover_->Remove(keys, force, deadline);
}

int64_t PoolMember::RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) {
  return remover_->RemoveByRegex(pattern, force, deadline);
}

int64_t PoolMember::RemoveAll(bool force, TimePoint deadline) {
  return remover_->RemoveAll(force, deadline);
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
