#include "proxy/instance_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tandem::proxy {
namespace {

/// The kv_role of an instance whose flags were given to those of the other role, and what is missed
/// with it.
struct Misfit {
  std::string_view kv_role;
  std::string_view lacks;
  std::string_view expected;
};

Misfit MisfitOf(std::string_view role) {
  if (role == "prefiller") return {"kv_consumer", "stores no KV", "kv_producer"};
  return {"kv_producer", "loads no KV", "kv_consumer"};
}

}  // namespace

InstancePool::InstancePool(std::string role, const std::vector<std::string>& addresses,
                           const Clock& clock)
    : role_(std::move(role)), addresses_(addresses), clock_(clock), states_(addresses.size()) {}

std::string InstancePool::Url(int instance, const std::string& target) const {
  return "http://" + addresses_[instance] + target;
}

std::optional<int> InstancePool::Choose(std::optional<uint64_t> session,
                                        const std::set<int>& excluded) {
  MutexLock lock(mutex_);
  const size_t first = session ? *session : turn_++;
  for (size_t i = 0; i < states_.size(); ++i) {
    const size_t instance = (first % states_.size() + i) % states_.size();
    if (states_[instance].up && !excluded.contains(static_cast<int>(instance))) {
      // Skipping one that is down must not give its turns all to its neighbour.
      if (!session) turn_ += i;
      return static_cast<int>(instance);
    }
  }
  return std::nullopt;
}

std::optional<int> InstancePool::ChooseAny(const std::set<int>& excluded) {
  MutexLock lock(mutex_);
  for (int instance = 0; instance < size(); ++instance) {
    if (states_[instance].make == InstanceMake::kUnfit) continue;
    if (!excluded.contains(instance)) return instance;
  }
  return std::nullopt;
}

void InstancePool::MarkUp(int instance, TimePoint asked) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (state.make == InstanceMake::kUnfit) return;
  if (!state.up && asked < state.down_since) return;
  if (!state.up) spdlog::info("{} {} is up again", role_, addresses_[instance]);
  state.up = true;
}

void InstancePool::MarkDown(int instance, const std::string& reason) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (!state.up && state.make != InstanceMake::kUnfit) return;
  spdlog::warn("{} {} is down: {}", role_, addresses_[instance], reason);
  if (std::exchange(state.up, false)) state.down_since = clock_.Now();
  // It may come back with another model or other options, or as what it should be.
  state.cache_namespace.clear();
  state.kv_role.reset();
  state.found.clear();
  state.make = InstanceMake::kUnknown;
}

void InstancePool::NoteAnswer(int instance) {
  MutexLock lock(mutex_);
  states_[instance].last_answer = clock_.Now();
}

bool InstancePool::AnyUp() const {
  MutexLock lock(mutex_);
  return std::any_of(states_.begin(), states_.end(), [](const State& state) { return state.up; });
}

void InstancePool::SetNamespace(int instance, const std::string& cache_namespace) {
  MutexLock lock(mutex_);
  states_[instance].cache_namespace = cache_namespace;
  Accept(instance, InstanceMake::kTandem);
}

void InstancePool::SetKvRole(int instance, const std::string& kv_role) {
  MutexLock lock(mutex_);
  if (std::exchange(states_[instance].kv_role, kv_role) == kv_role) return;
  if (const std::string problem = Problem(instance); !problem.empty()) {
    spdlog::warn("{}", problem);
  }
}

void InstancePool::MarkForeign(int instance) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (state.make != InstanceMake::kForeign) {
    spdlog::info(
        "{} {} tells no KV cache namespace: a server of another make, which takes no first token "
        "over but as part of the prompt, and continues no stream",
        role_, addresses_[instance]);
  }
  Accept(instance, InstanceMake::kForeign);
}

void InstancePool::MarkUnfit(int instance, const std::string& found) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  const bool known = state.make == InstanceMake::kUnfit && state.found == found;
  state.make = InstanceMake::kUnfit;
  state.found = found;
  if (std::exchange(state.up, false)) state.down_since = clock_.Now();
  if (!known) spdlog::error("{}", Problem(instance));
}

std::string InstancePool::DescribeUnfit() const {
  std::string described;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].make != InstanceMake::kUnfit) continue;
    if (!described.empty()) described += ", ";
    described += fmt::format("{} is no inference instance ({})", addresses_[i], states_[i].found);
  }
  return described;
}

void InstancePool::Accept(int instance, InstanceMake make) {
  State& state = states_[instance];
  if (state.make == InstanceMake::kUnfit) {
    spdlog::info("{} {} is an instance now", role_, addresses_[instance]);
    state.up = true;
  }
  state.make = make;
  state.found.clear();
}

std::string InstancePool::Problem(int instance) const {
  const State& state = states_[instance];
  const std::string flags =
      fmt::format("--{0}-host and --{0}-port give {1}", role_, addresses_[instance]);
  if (state.make == InstanceMake::kUnfit) {
    return fmt::format(
        "{}, where an HTTP server answers that is no inference instance: {}; expected is the "
        "address of a {}, which lists its models there, such as tandem serve's or vllm serve's",
        flags, state.found, role_);
  }
  const Misfit misfit = MisfitOf(role_);
  if (state.kv_role != misfit.kv_role) return "";
  return fmt::format(
      "{}, an instance with kv_role {}, which {} for the hand-over: every prompt is computed "
      "twice; expected is one with {} or kv_both. Are the addresses of prefillers and decoders "
      "swapped?",
      flags, misfit.kv_role, misfit.lacks, misfit.expected);
}

std::set<int> InstancePool::Foreign() const {
  std::set<int> foreign;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].make == InstanceMake::kForeign) foreign.insert(static_cast<int>(i));
  }
  return foreign;
}

std::vector<InstanceStatus> InstancePool::Status() const {
  std::vector<InstanceStatus> all;
  for (int instance = 0; instance < size(); ++instance) all.push_back(Status(instance));
  return all;
}

InstanceStatus InstancePool::Status(int instance) const {
  MutexLock lock(mutex_);
  const State& state = states_[instance];
  return {.address = addresses_[instance],
          .up = state.up,
          .cache_namespace = state.cache_namespace,
          .make = state.make,
          .kv_role = state.kv_role,
          .problem = Problem(instance)};
}

void InstancePool::Track(int instance, const std::shared_ptr<http::Call>& call) {
  MutexLock lock(mutex_);
  auto& calls = states_[instance].calls;
  std::erase_if(calls, [](const auto& weak) { return weak.expired(); });
  calls.push_back(call);
}

void InstancePool::CancelSilentCalls(Duration patience) {
  std::vector<std::shared_ptr<http::Call>> cancelled;
  {
    MutexLock lock(mutex_);
    const TimePoint limit = clock_.Now() - patience;
    for (size_t i = 0; i < states_.size(); ++i) {
      State& state = states_[i];
      if (state.up || state.down_since > limit || state.last_answer > limit) continue;
      const size_t before = cancelled.size();
      for (const auto& weak : state.calls) {
        auto call = weak.lock();
        if (call != nullptr && call->last_progress() <= limit) cancelled.push_back(std::move(call));
      }
      if (cancelled.size() == before) continue;
      spdlog::warn("{} {} stands still: {} requests to it are ended", role_, addresses_[i],
                   cancelled.size() - before);
      std::erase_if(state.calls, [&](const auto& weak) {
        return weak.expired() || weak.lock()->last_progress() <= limit;
      });
    }
  }
  for (const auto& call : cancelled) call->Cancel();
}

}  // namespace tandem::proxy
