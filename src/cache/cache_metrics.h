#pragma once

#include <map>
#include <string_view>

#include "base/metrics.h"
#include "store/proto/error_code.h"

namespace tandem::cache {

/// What went wrong, as the label `cause` of tandem:cache_failures_total.
enum class FailureCause {
  kMasterUnreachable,
  kMasterSuspended,  ///< Not asked: it did not answer a moment ago.
  kNoSpace,
  kGone,  ///< Found, but not there any more when it was read.
  kTransfer,
  kBadObject,  ///< Bytes of another size or layout.
  kTimeout,
  kBusyWriter,
  kQueueFull,
  kOther,
};

enum class CacheOperation { kLookup, kLoad, kSave };

/// The cause behind a store's code.
FailureCause CauseOf(store::ErrorCode code);

/// The counters of the cache (tandem:cache_*). Safe for use by several threads.
class CacheMetrics {
 public:
  /// `registry` outlives it.
  explicit CacheMetrics(MetricRegistry& registry);

  void CountFailure(CacheOperation operation, FailureCause cause, int times = 1);

  prometheus::Counter& lookups;
  prometheus::Counter& hit_tokens;
  prometheus::Counter& miss_tokens;
  prometheus::Counter& loaded_chunks;
  prometheus::Counter& loaded_tokens;
  prometheus::Counter& loaded_bytes;
  prometheus::Counter& saved_chunks;
  prometheus::Counter& saved_tokens;
  prometheus::Counter& saved_bytes;
  prometheus::Counter& present_chunks;
  prometheus::Histogram& lookup_seconds;
  prometheus::Histogram& load_seconds;
  prometheus::Histogram& save_seconds;

 private:
  prometheus::Family<prometheus::Counter>& failures_;
};

}  // namespace tandem::cache
