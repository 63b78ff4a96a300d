#include "store/client/membership.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/memory_budget.h"
#include "base/status.h"
#include "store/client/found_objects.h"
#include "store/proto/error_code.h"

namespace tandem::store {
namespace {

constexpr int kObjectsPerCall = 4096;

proto::HeldObject Describe(const HeldObject& held, const std::string& segment) {
  proto::HeldObject object;
  object.set_key(held.key);
  *object.mutable_extent() = ToProto(held.extent, segment);
  object.set_size(held.size);
  object.set_checksum(held.checksum);
  object.set_soft_pin(held.soft_pin);
  object.set_hard_pin(held.hard_pin);
  return object;
}

}  // namespace

Membership::Membership(Options options, proto::Segment segment, uint64_t host_budget,
                       MasterClient& master, SegmentOwner& owner, PeerMappings& mappings,
                       MetadataRegistration& registration, std::shared_ptr<Revocations> revocations)
    : options_(std::move(options)),
      segment_(std::move(segment)),
      host_budget_(host_budget),
      master_(master),
      owner_(owner),
      mappings_(mappings),
      registration_(registration),
      revocations_(std::move(revocations)) {}

absl::Status Membership::Join() {
  absl::Status reached;
  absl::StatusOr<proto::MountSegmentResponse> mounted = proto::MountSegmentResponse();
  if (segment_.size() > 0) {
    mounted = Mount(segment_.size(), /*exact=*/false);
    reached = mounted.status();
  } else {
    proto::PingRequest request;
    request.set_client_id(options_.client_id);
    reached = master_.Ping(request, Deadline()).status();
  }
  if (!reached.ok()) {
    return absl::Status(
        reached.code(),
        fmt::format("master_server_address \"{}\": {}; it must be the host of mooncake_master and "
                    "the port of its --rpc_port",
                    options_.master_address, std::string(reached.message())));
  }
  if (segment_.size() > 0 && (mounted->code() != kOk || mounted->granted() == 0)) {
    return absl::ResourceExhaustedError(
        fmt::format("global_segment_size {}: the master granted nothing: {}", segment_.size(),
                    mounted->reason().empty() ? Describe(static_cast<ErrorCode>(mounted->code()))
                                              : mounted->reason()));
  }
  if (mounted->granted() > owner_.size()) {
    return absl::InternalError(
        fmt::format("the master granted {} bytes, more than were offered", mounted->granted()));
  }
  if (mounted->granted() < segment_.size()) {
    spdlog::warn("global_segment_size {} was lowered to {}: {}", segment_.size(),
                 mounted->granted(), mounted->reason());
  }
  granted_ = mounted->granted();
  epoch_ = mounted->epoch();
  healthy_ = true;
  joined_ = true;
  return absl::OkStatus();
}

absl::StatusOr<proto::MountSegmentResponse> Membership::Mount(uint64_t size, bool exact) {
  proto::MountSegmentRequest request;
  request.set_client_id(options_.client_id);
  *request.mutable_segment() = segment_;
  request.mutable_segment()->set_size(size);
  request.set_boot_id(BootId());
  request.set_host_budget(host_budget_);
  request.set_exact(exact);
  return master_.MountSegment(request, Deadline());
}

void Membership::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Membership::Leave() {
  revocations_->Stop();
  if (thread_.joinable()) thread_.join();
  if (!std::exchange(joined_, false)) return;
  if (healthy()) SendRevocations();
  if (granted_ == 0 || !healthy()) return;  // the master drops the silent by itself
  proto::UnmountSegmentRequest request;
  request.set_client_id(options_.client_id);
  request.set_segment(segment_.name());
  const auto unmounted = master_.UnmountSegment(request, Deadline());
  if (!unmounted.ok()) {
    spdlog::warn("segment {} was not unmounted: {}", segment_.name(),
                 std::string(unmounted.status().message()));
  }
}

void Membership::Run() {
  Duration pause = options_.ping_interval;
  while (revocations_->Wait(Clock::Real().Now() + pause)) {
    const bool answered = Ping();
    if (answered) SendRevocations();
    mappings_.Tidy();
    pause = answered ? options_.ping_interval : options_.retry_interval;
  }
}

bool Membership::Ping() {
  proto::PingRequest request;
  request.set_client_id(options_.client_id);
  request.set_forgotten_through(forgotten_through_);
  const auto response = master_.Ping(request, Deadline());
  if (!response.ok()) {
    if (healthy_.exchange(false)) {
      spdlog::warn("the store's master at {} does not answer: {}", options_.master_address,
                   std::string(response.status().message()));
    }
    return false;
  }
  if (!healthy_.exchange(true)) {
    spdlog::info("the store's master at {} answers again", options_.master_address);
  }
  if (response->epoch() != epoch_) forgotten_through_ = 0;
  ApplyRemovals(*response);
  if (granted_ > 0 && (response->mount_again() || response->epoch() != epoch_)) {
    MountAgain();
  } else {
    epoch_ = response->epoch();
  }
  return true;
}

void Membership::ApplyRemovals(const proto::PingResponse& response) {
  for (const proto::ObjectExtent& removed : response.removed()) {
    if (removed.extent().segment() == segment_.name()) owner_.Forget(FromProto(removed.extent()));
  }
  forgotten_through_ = response.sequence();
}

void Membership::MountAgain() {
  const auto mounted = Mount(granted_, /*exact=*/true);
  if (!mounted.ok() || mounted->code() != kOk) {
    spdlog::warn("the master at {} does not take segment {} back yet: {}", options_.master_address,
                 segment_.name(),
                 mounted.ok() ? mounted->reason() : std::string(mounted.status().message()));
    return;
  }
  absl::Status status = RegisterHeldObjects();
  if (!status.ok()) {
    spdlog::warn("objects were not registered again: {}", std::string(status.message()));
    return;
  }
  epoch_ = mounted->epoch();
  status = registration_.Register();
  if (!status.ok()) spdlog::warn("{}", std::string(status.message()));
}

absl::Status Membership::RegisterHeldObjects() {
  const std::vector<HeldObject> held = owner_.Published();
  size_t next = 0;
  int kept = 0;
  do {
    proto::RegisterObjectsRequest request;
    request.set_client_id(options_.client_id);
    for (; next < held.size() && request.objects_size() < kObjectsPerCall; ++next) {
      *request.add_objects() = Describe(held[next], segment_.name());
    }
    request.set_complete(next == held.size());
    ASSIGN_OR_RETURN(const proto::RegisterObjectsResponse response,
                     master_.RegisterObjects(request, Deadline()));
    if (response.code() != kOk) {
      return absl::UnavailableError(Describe(static_cast<ErrorCode>(response.code())));
    }
    for (const proto::ObjectExtent& refused : response.refused()) {
      owner_.Forget(FromProto(refused.extent()));
    }
    kept += request.objects_size() - response.refused_size();
  } while (next < held.size());
  spdlog::info("segment {} is mounted again with {} of its {} objects", segment_.name(), kept,
               held.size());
  return absl::OkStatus();
}

void Membership::SendRevocations() {
  std::vector<proto::PutEndItem> items = revocations_->TakeAll();
  if (items.empty()) return;
  proto::PutRevokeRequest request;
  request.set_client_id(options_.client_id);
  for (proto::PutEndItem& item : items) *request.add_items() = std::move(item);
  // What does not arrive is taken back when the put has been stale for long enough.
  (void)master_.PutRevoke(request, Deadline());
}

}  // namespace tandem::store
