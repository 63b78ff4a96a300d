#pragma once

#include <functional>

#include "base/clock.h"
#include "base/task_queue.h"
#include "cache/cache_metrics.h"
#include "cache/chunk_mover.h"
#include "cache/store_connector.h"
#include "cache/tier.h"

namespace tandem::cache {

/// What the sessions of a connector share.
struct ConnectorContext {
  const StoreConnectorOptions& options;
  const compute::KvLayout& layout;
  const KvCodec& codec;
  Tier& tier;
  ChunkMover& mover;
  CacheMetrics& metrics;
  const Clock& clock;
  const std::function<void()>& wake;
  TaskQueue& lookups;  ///< Lookups do not queue behind transfers.
  TaskQueue& transfers;
};

}  // namespace tandem::cache
