#pragma once

#include "cache/cache_metrics.h"
#include "cache/circuit_breaker.h"
#include "cache/tier.h"

namespace tandem::cache {

/// The shared store as a tier. While the master does not answer, calls that need it end at once.
class StoreTier : public Tier {
 public:
  /// All outlive it.
  StoreTier(store::StoreClient& store, CacheMetrics& metrics, const Clock& clock);

  std::vector<int64_t> Find(std::span<const std::string> keys,
                            const store::CallContext& call) override;
  std::vector<std::unique_ptr<store::ReadHandle>> Read(std::span<const std::string> keys,
                                                       TimePoint deadline) override;
  std::vector<ChunkRoom> Reserve(std::span<const std::string> keys, std::span<const uint64_t> sizes,
                                 const store::CallContext& call) override;
  std::vector<bool> Commit(std::vector<std::unique_ptr<store::Reservation>> reservations,
                           const store::CallContext& call) override;

 private:
  /// Tells the breaker whether the master answered.
  void ReportToBreaker(bool answered);

  store::StoreClient& store_;
  CacheMetrics& metrics_;
  CircuitBreaker breaker_;
};

}  // namespace tandem::cache
