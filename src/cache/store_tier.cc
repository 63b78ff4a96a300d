#include "cache/store_tier.h"

#include <algorithm>

#include "base/log.h"

namespace tandem::cache {
namespace {

constexpr Duration kFirstPause = std::chrono::seconds(1);
constexpr Duration kLongestPause = std::chrono::seconds(5);

bool IsRpcFailure(int64_t code) {
  return code == store::kRpcFailed || code == store::kRpcUnauthorized;
}

}  // namespace

StoreTier::StoreTier(store::StoreClient& store, CacheMetrics& metrics, const Clock& clock)
    : store_(store), metrics_(metrics), breaker_(clock, kFirstPause, kLongestPause) {}

void StoreTier::ReportToBreaker(bool answered) {
  const bool was_open = breaker_.open();
  if (answered) {
    breaker_.Succeeded();
    if (was_open) spdlog::info("the store's master answers again");
    return;
  }
  breaker_.Failed();
  if (!was_open) spdlog::warn("the store's master does not answer; prompts are computed meanwhile");
}

std::vector<int64_t> StoreTier::Find(std::span<const std::string> keys,
                                     const store::CallContext& call) {
  if (!breaker_.Allow()) {
    metrics_.CountFailure(CacheOperation::kLookup, FailureCause::kMasterSuspended);
    return std::vector<int64_t>(keys.size(), -1);
  }
  std::vector<int64_t> sizes = store_.Find(keys, call);
  const bool answered = std::ranges::none_of(sizes, IsRpcFailure);
  ReportToBreaker(answered);
  if (!answered) metrics_.CountFailure(CacheOperation::kLookup, FailureCause::kMasterUnreachable);
  for (int64_t& size : sizes) size = std::max<int64_t>(size, -1);
  return sizes;
}

std::vector<std::unique_ptr<store::ReadHandle>> StoreTier::Read(std::span<const std::string> keys,
                                                                TimePoint deadline) {
  std::vector<store::ErrorCode> codes;
  auto handles = store_.Read(keys, deadline, &codes);
  for (size_t i = 0; i < handles.size(); ++i) {
    if (handles[i] == nullptr) metrics_.CountFailure(CacheOperation::kLoad, CauseOf(codes[i]));
  }
  return handles;
}

std::vector<ChunkRoom> StoreTier::Reserve(std::span<const std::string> keys,
                                          std::span<const uint64_t> sizes,
                                          const store::CallContext& call) {
  std::vector<ChunkRoom> rooms(keys.size());
  const int count = static_cast<int>(keys.size());
  if (!breaker_.Allow()) {
    metrics_.CountFailure(CacheOperation::kSave, FailureCause::kMasterSuspended, count);
    return rooms;
  }
  std::vector<store::ErrorCode> codes;
  auto reservations = store_.Reserve(keys, sizes, {}, call, &codes);
  for (int i = 0; i < count; ++i) {
    if (reservations[i] != nullptr) {
      rooms[i] = {ChunkRoom::State::kReserved, std::move(reservations[i])};
    } else if (codes[i] == store::kObjectExists) {
      rooms[i].state = ChunkRoom::State::kPresent;
    } else if (codes[i] == store::kReplicaNotReady) {
      rooms[i].state = ChunkRoom::State::kBusy;
    } else {
      metrics_.CountFailure(CacheOperation::kSave, CauseOf(codes[i]));
    }
  }
  ReportToBreaker(std::ranges::none_of(codes, IsRpcFailure));
  return rooms;
}

std::vector<bool> StoreTier::Commit(std::vector<std::unique_ptr<store::Reservation>> reservations,
                                    const store::CallContext& call) {
  const std::vector<store::ErrorCode> codes = store_.Commit(std::move(reservations), call);
  std::vector<bool> committed;
  for (store::ErrorCode code : codes) {
    committed.push_back(code == store::kOk);
    if (code != store::kOk) metrics_.CountFailure(CacheOperation::kSave, CauseOf(code));
  }
  ReportToBreaker(std::ranges::none_of(codes, IsRpcFailure));
  return committed;
}

}  // namespace tandem::cache
