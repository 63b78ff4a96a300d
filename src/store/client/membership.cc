#include "store/client/membership.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/memory_budget.h"
#include "base/status.h"
#include "store/client/dead_neighbours.h"
#include "store/client/found_objects.h"
#include "store/proto/error_code.h"

namespace tandem::store {
namespace {

constexpr int kObjectsPerCall = 4096;
/// A disk that takes longer does so while the master hears that its owner lives.
constexpr Duration kDiskWait = std::chrono::seconds(1);

proto::HeldObject Describe(const HeldObject& held, bool on_disk, const std::string& segment) {
  proto::HeldObject object;
  object.set_key(held.key);
  *object.mutable_extent() = ToProto(held.extent, segment);
  object.mutable_extent()->set_on_disk(on_disk);
  object.set_size(held.size);
  object.set_checksum(held.checksum);
  object.set_soft_pin(held.soft_pin);
  object.set_hard_pin(held.hard_pin);
  return object;
}

std::string ReasonOf(const proto::MountSegmentResponse& refused) {
  return refused.reason().empty() ? Describe(static_cast<ErrorCode>(refused.code()))
                                  : refused.reason();
}

}  // namespace

Membership::Membership(Options options, proto::Segment segment, uint64_t host_budget,
                       MasterClient& master, SegmentOwner& owner, DiskTier& disk,
                       Offloader& offloader, PeerMappings& mappings,
                       MetadataRegistration& registration)
    : options_(std::move(options)),
      segment_(std::move(segment)),
      host_budget_(host_budget),
      master_(master),
      owner_(owner),
      disk_(disk),
      offloader_(offloader),
      mappings_(mappings),
      registration_(registration) {}

absl::Status Membership::Join() {
  const TimePoint started = Clock::Real().Now();
  absl::Status status;
  if (lends()) {
    status = MountSegment();
  } else {
    proto::PingRequest request;
    request.set_client_id(options_.client_id);
    status = master_.Ping(request, Deadline()).status();
    state_ = State::kMember;
  }
  if (absl::IsResourceExhausted(status)) {
    complaint_ = std::string(status.message());
    spdlog::warn("{}; asking again until there is room", complaint_);
    status = absl::OkStatus();
  }
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
    return absl::Status(
        status.code(),
        fmt::format("master_server_address \"{}\": {}; it must be the host of mooncake_master and "
                    "the port of its --rpc_port, or etcd://HOST:PORT of its --etcd_endpoints",
                    options_.master_address, std::string(status.message())));
  }
  if (absl::IsUnauthenticated(status)) {
    return absl::Status(status.code(),
                        fmt::format("token_file: {}", std::string(status.message())));
  }
  RETURN_IF_ERROR(status);
  healthy_ = true;
  joined_ = true;
  // A new segment holds nothing to register; a disk may, which is opened meanwhile.
  disk_listed_ = false;
  all_registered_ = true;
  if (state_ == State::kUnregistered) state_ = State::kUnlisted;
  ServeFrom(started);
  if (state_ == State::kUnlisted) {
    RETURN_IF_ERROR(registration_.Register());
    state_ = State::kMember;
  }
  return absl::OkStatus();
}

absl::Status Membership::MountSegment() {
  const uint64_t granted = granted_;
  if (granted == 0) RETURN_IF_ERROR(DropDeadNeighbours(segment_, master_, Deadline()));
  proto::MountSegmentRequest request;
  request.set_client_id(options_.client_id);
  *request.mutable_segment() = segment_;
  request.mutable_segment()->set_size(granted > 0 ? granted : segment_.size());
  request.set_boot_id(BootId());
  request.set_host_budget(host_budget_);
  request.set_exact(granted > 0);
  request.set_grant_key(owner_.grant_key().bytes());
  request.set_grant_clock(GrantClockNow());
  ASSIGN_OR_RETURN(const proto::MountSegmentResponse mounted,
                   master_.MountSegment(request, Deadline()));
  return TakeGrant(mounted);
}

absl::Status Membership::TakeGrant(const proto::MountSegmentResponse& mounted) {
  if (mounted.code() == kInvalidParams) {
    return absl::InvalidArgumentError(
        fmt::format("global_segment_size {}: {}", segment_.size(), ReasonOf(mounted)));
  }
  if (mounted.code() != kOk || mounted.granted() == 0) {
    return absl::ResourceExhaustedError(
        fmt::format("global_segment_size {}: the master at {} does not take segment {}: {}",
                    segment_.size(), options_.master_address, segment_.name(), ReasonOf(mounted)));
  }
  if (mounted.granted() > owner_.size()) {
    return absl::InternalError(
        fmt::format("the master granted {} bytes, more than were offered", mounted.granted()));
  }
  if (granted_ == 0 && mounted.granted() < segment_.size()) {
    spdlog::warn("global_segment_size {} was lowered to {}: {}", segment_.size(), mounted.granted(),
                 mounted.reason());
  }
  granted_ = mounted.granted();
  epoch_ = mounted.epoch();
  client_ttl_ = std::chrono::milliseconds(mounted.client_ttl_milliseconds());
  state_ = State::kUnregistered;
  offloads_ = mounted.has_offload();
  if (offloads_) offloader_.Start(mounted.offload());
  ListToRegister(/*memory=*/true);
  return absl::OkStatus();
}

void Membership::ListToRegister(bool memory) {
  to_register_.clear();
  disk_listed_ = offloads_ && disk_.is_open();
  if (disk_listed_) {
    // What this process has heard so far did not concern what an earlier one left.
    if (!std::exchange(disk_found_, true)) heard_ = disk_.heard_through();
    for (StoredObject& stored : disk_.Objects()) {
      to_register_.push_back({{.key = std::move(stored.key),
                               .extent = {0, stored.size, stored.generation},
                               .size = stored.size,
                               .checksum = stored.checksum,
                               .soft_pin = stored.soft_pin},
                              /*on_disk=*/true});
    }
  }
  if (memory) {
    for (HeldObject& held : owner_.Published()) to_register_.push_back({std::move(held), false});
  }
  all_registered_ = false;
  disk_tidy_ = true;
  registered_ = 0;
}

void Membership::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Membership::Leave() {
  if (!std::exchange(joined_, false)) return;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  // The master drops the silent by itself. This also ends the ping under way.
  if (granted_ > 0 && healthy()) {
    proto::UnmountSegmentRequest request;
    request.set_client_id(options_.client_id);
    request.set_segment(segment_.name());
    const auto unmounted = master_.UnmountSegment(request, Deadline());
    if (!unmounted.ok()) {
      spdlog::warn("segment {} was not unmounted: {}", segment_.name(),
                   std::string(unmounted.status().message()));
    }
  }
  if (thread_.joinable()) thread_.join();
}

void Membership::Run() {
  TimePoint next = Clock::Real().Now() + options_.ping_interval;
  // A member's pings wait at the master, where they bring removals at once.
  bool at_master = lends() && state_ == State::kMember;
  while (at_master ? !Pause(TimePoint::min()) : !Pause(next)) {
    const TimePoint started = Clock::Real().Now();
    const uint64_t known = forgotten_through_;
    const bool answered = Round();
    mappings_.Tidy();
    const bool settled = answered && state_ == State::kMember;
    next = started + (settled && !lends() ? options_.ping_interval : options_.retry_interval);
    // Unless it answers early without a reason, as one does that is about to stop.
    at_master = lends() && settled && (forgotten_through_ != known || Clock::Real().Now() >= next);
  }
}

bool Membership::Pause(TimePoint until) {
  MutexLock lock(mutex_);
  return changed_.WaitUntil(mutex_, until,
                            [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_; });
}

bool Membership::Round() {
  const TimePoint started = Clock::Real().Now();
  if (!Ping()) return false;
  if (lends() && !Pause(TimePoint::min())) TakeSteps();
  if (state_ == State::kUnlisted || state_ == State::kMember) ServeFrom(started);
  return true;
}

void Membership::ServeFrom(TimePoint heard) {
  if (client_ttl_ > Duration::zero()) owner_.ServeUntil(heard + client_ttl_);
}

bool Membership::Ping() {
  const bool waits = lends() && state_ == State::kMember;
  // Else the master may not know of all that it has to tell.
  const bool knows_all = waits && all_registered_ && disk_listed_ == (offloads_ || disk_.is_open());
  proto::PingRequest request;
  request.set_client_id(options_.client_id);
  request.set_forgotten_through(forgotten_through_);
  request.set_grant_clock(GrantClockNow());
  for (const uint64_t generation : owner_.Held()) request.add_held_generations(generation);
  if (waits) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(options_.ping_interval);
    request.set_wait_milliseconds(static_cast<uint32_t>(wait.count()));
    request.set_epoch(epoch_);
  }
  const auto response =
      master_.Ping(request, Deadline() + (waits ? options_.ping_interval : Duration::zero()));
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
  const bool new_life = response->epoch() != epoch_;
  if (lends() && (new_life || response->mount_again())) state_ = State::kUnmounted;
  epoch_ = response->epoch();
  if (!Forget(*response)) return true;
  forgotten_through_ = response->sequence();
  if (knows_all && state_ == State::kMember && response->heard_through() > 0) {
    heard_ = {response->heard_through(), epoch_};
    if (disk_listed_) disk_.NoteHeardThrough(heard_);
  }
  return true;
}

bool Membership::Forget(const proto::PingResponse& response) {
  std::vector<uint64_t> off_disk;
  for (const proto::ObjectExtent& removed : response.removed()) {
    const proto::Extent& extent = removed.extent();
    if (extent.segment() != segment_.name()) continue;
    // First the memory: what cannot be opened any more is not written to disk either.
    if (!extent.on_disk()) owner_.Forget(FromProto(extent));
    if (!removed.memory_only()) off_disk.push_back(extent.generation());
  }
  const absl::Status gone =
      disk_.Remove(off_disk, Clock::Real().Now() + std::min(kDiskWait, client_ttl_ / 4));
  if (IsNews(gone)) {
    spdlog::warn("what was removed is not off the disk yet: {}; trying again", complaint_);
  }
  return gone.ok();
}

bool Membership::IsNews(const absl::Status& status) {
  if (status.ok() || complaint_ == status.message()) return false;
  complaint_ = std::string(status.message());
  return true;
}

void Membership::TakeSteps() {
  const State before = state_;
  absl::Status status;
  if (state_ == State::kUnmounted) status = MountSegment();
  if (state_ == State::kMember && offloads_ && !disk_listed_ && disk_.is_open()) {
    ListToRegister(/*memory=*/false);
  }
  if (status.ok() && !all_registered_) status = RegisterHeldObjects(Deadline());
  if (state_ == State::kUnregistered && all_registered_) state_ = State::kUnlisted;
  if (status.ok() && state_ == State::kUnlisted) {
    status = registration_.Register();
    if (status.ok()) state_ = State::kMember;
  }
  if (IsNews(status)) spdlog::warn("{}; asking again", complaint_);
  if (state_ != State::kMember || before == State::kMember) return;
  complaint_.clear();
  spdlog::info("segment {} is mounted again, {} objects registered", segment_.name(), registered_);
}

absl::Status Membership::RegisterHeldObjects(TimePoint deadline) {
  do {
    proto::RegisterObjectsRequest request;
    request.set_client_id(options_.client_id);
    request.set_heard_through(heard_.generation);
    request.set_heard_epoch(heard_.epoch);
    // What the master refuses is off the disk before it is told that this was all.
    const bool complete =
        to_register_.empty() || (!disk_listed_ && to_register_.size() <= kObjectsPerCall);
    request.set_complete(complete);
    if (complete && disk_listed_ && disk_tidy_) request.set_disk_id(disk_.id());
    const size_t count = std::min<size_t>(to_register_.size(), kObjectsPerCall);
    const size_t rest = to_register_.size() - count;
    for (size_t i = rest; i < to_register_.size(); ++i) {
      const auto& [object, on_disk] = to_register_[i];
      // It may have been removed since the list was made.
      const bool there =
          on_disk ? disk_.Holds(object.extent.generation) : owner_.IsPublished(object.extent);
      if (there) *request.add_objects() = Describe(object, on_disk, segment_.name());
    }
    ASSIGN_OR_RETURN(const proto::RegisterObjectsResponse response,
                     master_.RegisterObjects(request, std::min(deadline, Deadline())));
    if (response.code() != kOk) {
      return absl::UnavailableError(Describe(static_cast<ErrorCode>(response.code())));
    }
    DropRefused(response);
    registered_ += request.objects_size() - response.refused_size();
    to_register_.resize(rest);
    all_registered_ = complete;
  } while (!all_registered_ && Clock::Real().Now() < deadline);
  return absl::OkStatus();
}

void Membership::DropRefused(const proto::RegisterObjectsResponse& response) {
  std::vector<uint64_t> off_disk;
  for (const proto::ObjectExtent& refused : response.refused()) {
    if (!refused.extent().on_disk()) owner_.Forget(FromProto(refused.extent()));
    // Of memory as well, which may just be on its way there.
    off_disk.push_back(refused.extent().generation());
  }
  const absl::Status gone = disk_.Remove(off_disk, Clock::Real().Now() + kDiskWait);
  if (gone.ok()) return;
  // A disk that fails keeps nobody from being a member. It is tried again with the next removal.
  disk_tidy_ = false;
  spdlog::warn("what was refused is not off the disk: {}", std::string(gone.message()));
}

}  // namespace tandem::store
