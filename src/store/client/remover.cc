#include "store/client/remover.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "store/client/key_batches.h"

namespace tandem::store {
namespace {

/// Owners that run answer within this, however busy.
constexpr Duration kFirstWait = std::chrono::milliseconds(300);

/// Most of the time left, so that the master's answer still arrives in time.
uint32_t WaitMilliseconds(TimePoint deadline, Duration most = Duration::max()) {
  const Duration left = std::max(Duration::zero(), deadline - Clock::Real().Now());
  const Duration wait = std::min(most, left - left / 8);
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(wait).count());
}

}  // namespace

std::vector<ErrorCode> Remover::Remove(std::span<const std::string> keys, bool force,
                                       TimePoint deadline) {
  std::vector<ErrorCode> codes(keys.size(), kRpcFailed);
  ForEachBatch(keys, [&](size_t first, std::span<const std::string> batch) {
    RemoveBatch(batch, force, deadline, std::span(codes).subspan(first, batch.size()));
  });
  return codes;
}

void Remover::RemoveBatch(std::span<const std::string> keys, bool force, TimePoint deadline,
                          std::span<ErrorCode> codes) {
  proto::RemoveRequest request;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  request.set_force(force);
  request.set_wait_milliseconds(WaitMilliseconds(deadline, kFirstWait));
  const auto response = master_.Remove(request, deadline);
  if (!response.ok() || static_cast<size_t>(response->codes_size()) != keys.size()) return;
  for (size_t i = 0; i < keys.size(); ++i) {
    codes[i] = static_cast<ErrorCode>(response->codes(static_cast<int>(i)));
  }
  for (const proto::PendingOwner& owner : Await(response->pending(), deadline)) {
    for (const uint32_t i : owner.keys()) {
      // A key that is not there may be one whose removal was not confirmed before.
      if (i < codes.size() && (codes[i] == kOk || codes[i] == kObjectNotFound)) {
        codes[i] = kRpcFailed;
      }
    }
  }
}

int64_t Remover::RemoveByRegex(const std::string& pattern, bool force, TimePoint deadline) {
  proto::RemoveByRegexRequest request;
  request.set_pattern(pattern);
  request.set_force(force);
  request.set_wait_milliseconds(WaitMilliseconds(deadline, kFirstWait));
  return CountOf(master_.RemoveByRegex(request, deadline), deadline);
}

int64_t Remover::RemoveAll(bool force, TimePoint deadline) {
  proto::RemoveAllRequest request;
  request.set_force(force);
  request.set_wait_milliseconds(WaitMilliseconds(deadline, kFirstWait));
  return CountOf(master_.RemoveAll(request, deadline), deadline);
}

int64_t Remover::CountOf(const absl::StatusOr<proto::RemoveManyResponse>& response,
                         TimePoint deadline) {
  if (!response.ok()) return kRpcFailed;
  if (response->code() != kOk) return response->code();
  if (!Await(response->pending(), deadline).empty()) return kRpcFailed;
  return response->removed();
}

Remover::PendingOwners Remover::Await(PendingOwners pending, TimePoint deadline) {
  const auto has_gone = [&](const proto::PendingOwner& owner) {
    // A disk outlives its owner.
    if (owner.on_disk()) return false;
    return transport_.HasGone(owner.data_endpoint(),
                              std::min(deadline, Clock::Real().Now() + silence_));
  };
  pending.erase(std::remove_if(pending.begin(), pending.end(), has_gone), pending.end());
  while (!pending.empty() && WaitMilliseconds(deadline) > 0) {
    proto::ConfirmRemovalsRequest request;
    *request.mutable_pending() = pending;
    request.set_wait_milliseconds(WaitMilliseconds(deadline));
    auto response = master_.ConfirmRemovals(request, deadline);
    if (!response.ok() || response->code() != kOk) break;
    pending.Swap(response->mutable_pending());
  }
  for (const proto::PendingOwner& owner : pending) {
    spdlog::warn("the owner at {} has not confirmed a removal", owner.data_endpoint());
  }
  return pending;
}

}  // namespace tandem::store
