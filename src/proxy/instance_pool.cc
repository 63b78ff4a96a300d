#include "proxy/instance_pool.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tandem::proxy {

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
  for (int instance = 0; instance < size(); ++instance) {
    if (!excluded.contains(instance)) return instance;
  }
  return std::nullopt;
}

void InstancePool::MarkUp(int instance) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (!state.up) spdlog::info("{} {} is up again", role_, addresses_[instance]);
  state.up = true;
}

void InstancePool::MarkDown(int instance, const std::string& reason) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (!state.up) return;
  spdlog::warn("{} {} is down: {}", role_, addresses_[instance], reason);
  state.up = false;
  state.down_since = clock_.Now();
  // It may come back with another model or other options.
  state.cache_namespace.clear();
  state.foreign = false;
}

void InstancePool::SetNamespace(int instance, const std::string& cache_namespace) {
  MutexLock lock(mutex_);
  states_[instance].cache_namespace = cache_namespace;
  states_[instance].foreign = false;
}

void InstancePool::MarkForeign(int instance) {
  MutexLock lock(mutex_);
  State& state = states_[instance];
  if (!state.foreign) {
    spdlog::info(
        "{} {} tells no KV cache namespace: it gets whole requests, and continues no stream", role_,
        addresses_[instance]);
  }
  state.foreign = true;
}

std::set<int> InstancePool::Foreign() const {
  std::set<int> foreign;
  MutexLock lock(mutex_);
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].foreign) foreign.insert(static_cast<int>(i));
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
          .foreign = state.foreign};
}

void InstancePool::Track(int instance, const std::shared_ptr<http::Call>& call) {
  MutexLock lock(mutex_);
  auto& calls = states_[instance].calls;
  std::erase_if(calls, [](const auto& weak) { return weak.expired(); });
  calls.push_back(call);
}

void InstancePool::CancelCalls(Duration patience) {
  std::vector<std::weak_ptr<http::Call>> cancelled;
  {
    MutexLock lock(mutex_);
    for (State& state : states_) {
      if (state.up || clock_.Now() - state.down_since < patience) continue;
      std::move(state.calls.begin(), state.calls.end(), std::back_inserter(cancelled));
      state.calls.clear();
    }
  }
  for (const auto& weak : cancelled) {
    if (const auto call = weak.lock()) call->Cancel();
  }
}

}  // namespace tandem::proxy
