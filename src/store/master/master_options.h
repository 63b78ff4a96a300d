#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace tandem::store {

/// Which segments an object goes to when its writer's preferred one (by default its own) is full.
enum class AllocationStrategy {
  kRandom,
  kFreeRatioFirst,  ///< The segment with the largest share of free memory.
  kLocalFirst,      ///< Segments on the writer's host, then the others, at random.
};

/// What a Master is run with; the defaults are Mooncake's.
struct MasterOptions {
  Duration lease_ttl = std::chrono::seconds(10);
  Duration soft_pin_ttl = std::chrono::minutes(30);  ///< Counted from the last use.
  bool allow_evict_soft_pinned_objects = true;
  double eviction_ratio = 0.05;  ///< Share of the pool that one eviction frees at least.
  double eviction_high_watermark_ratio = 0.9;  ///< Share of the pool in use that starts one.
  Duration client_ttl = std::chrono::seconds(10);
  Duration put_start_discard_timeout = std::chrono::seconds(30);
  Duration put_start_release_timeout = std::chrono::seconds(600);
  AllocationStrategy allocation_strategy = AllocationStrategy::kRandom;
  /// Generations of extents start here. A later life of the master must start above all that an
  /// earlier one gave out; FirstGenerationOfNow() does.
  uint64_t first_generation = 1;
  /// For so long after its start a master asks nobody to believe that an object is not there:
  /// owners that an earlier life knew find it within that time, and register what they hold.
  Duration recovery_time{};
  uint64_t random_seed = 1;
  /// Removals that are remembered for owners who are away.
  size_t tombstones = size_t{1} << 20;
  /// Below which owners keep cold objects on disk; empty: objects stay in memory.
  std::string offload_directory;
  uint64_t offload_capacity_bytes = 0;  ///< Of disk, for each owner; 0 leaves it to them.
  std::string cluster_id = "mooncake_cluster";
};

/// The wall clock in milliseconds, times 2^20: rises faster than a master can allocate.
uint64_t FirstGenerationOfNow();

}  // namespace tandem::store
