#include "store/master/leadership.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "base/status.h"
#include "store/etcd/leader_lookup.h"
#include "store/master/master_options.h"

namespace tandem::store {
namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(200);
/// More than a master gives out however long it leads.
constexpr uint64_t kGenerationsOfALead = uint64_t{1} << 44;

}  // namespace

Leadership::Leadership(Options options, Callbacks callbacks)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      etcd_(options_.etcd_endpoints) {}

void Leadership::Start() {
  thread_ = std::thread([this] { Run(); });
}

Leadership::~Leadership() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool Leadership::leads() const {
  MutexLock lock(mutex_);
  return Clock::Real().Now() < leads_until_;
}

std::string Leadership::leader() const {
  MutexLock lock(mutex_);
  return leader_;
}

void Leadership::SetLead(TimePoint until, const std::string& leader) {
  MutexLock lock(mutex_);
  leads_until_ = until;
  leader_ = leader;
}

bool Leadership::Pause(Duration pause) {
  MutexLock lock(mutex_);
  return changed_.WaitUntil(mutex_, Clock::Real().Now() + pause,
                            [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_; });
}

std::string Leadership::Key(const char* name) const {
  return ClusterKey(options_.cluster_id, name);
}

void Leadership::Run() {
  bool complained = false;
  while (!Pause(kAskAgain)) {
    const absl::StatusOr<bool> elected = Campaign();
    if (!elected.ok() && !complained) {
      spdlog::warn("this master stands by: {}", std::string(elected.status().message()));
    }
    complained = !elected.ok();
    if (elected.value_or(false)) Lead();
  }
}

absl::StatusOr<bool> Leadership::Campaign() {
  const TimePoint start = Clock::Real().Now();
  const TimePoint deadline = start + std::chrono::seconds(options_.lease_seconds);
  ASSIGN_OR_RETURN(const std::optional<std::string> leader, etcd_.Get(Key("leader"), deadline));
  SetLead(TimePoint::min(), leader.value_or(""));
  // Also a key with this address is another's: of an earlier process, whose lease must end first.
  if (leader) return false;
  ASSIGN_OR_RETURN(lease_, etcd_.GrantLease(options_.lease_seconds, deadline));
  absl::StatusOr<bool> won = etcd_.Create(Key("leader"), options_.address, lease_, deadline);
  if (won.ok() && *won) {
    const absl::StatusOr<uint64_t> first_generation = ReserveGenerations(deadline);
    if (first_generation.ok()) {
      first_generation_ = *first_generation;
      SetLead(start + lease_.ttl, options_.address);
      return true;
    }
    won = first_generation.status();
  }
  (void)etcd_.Revoke(lease_, Clock::Real().Now() + std::chrono::seconds(1));
  return won;
}

absl::StatusOr<uint64_t> Leadership::ReserveGenerations(TimePoint deadline) {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   etcd_.Get(Key("next_generation"), deadline));
  uint64_t next = 0;
  if (stored && !absl::SimpleAtoi(*stored, &next)) {
    return absl::FailedPreconditionError(
        fmt::format("etcd's key {} holds '{}', not a number", Key("next_generation"), *stored));
  }
  // The wall clock of another machine may be behind.
  const uint64_t first = std::max(FirstGenerationOfNow(), next);
  ASSIGN_OR_RETURN(const bool kept,
                   etcd_.PutWhile(Key("leader"), options_.address, Key("next_generation"),
                                  std::to_string(first + kGenerationsOfALead), deadline));
  if (!kept) return absl::UnavailableError("the lead was lost as soon as it was won");
  return first;
}

void Leadership::Lead() {
  spdlog::info("this master, {}, leads the cluster '{}'", options_.address, options_.cluster_id);
  callbacks_.on_elected(first_generation_);
  while (leads() && !Pause(lease_.ttl / 5)) {
    const TimePoint asked = Clock::Real().Now();
    const absl::StatusOr<bool> kept = etcd_.KeepAlive(lease_, asked + lease_.ttl / 3);
    if (!kept.ok()) {
      spdlog::warn("the lease was not renewed: {}", std::string(kept.status().message()));
      continue;  // it lasts for a while
    }
    if (!*kept) break;
    SetLead(asked + lease_.ttl, options_.address);
  }
  SetLead(TimePoint::min(), "");
  callbacks_.on_lost();
  spdlog::info("this master, {}, leads no more", options_.address);
  (void)etcd_.Revoke(lease_, Clock::Real().Now() + std::chrono::seconds(1));
}

}  // namespace tandem::store
