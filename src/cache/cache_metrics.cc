#include "cache/cache_metrics.h"

namespace tandem::cache {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

const char* Name(FailureCause cause) {
  switch (cause) {
    case FailureCause::kMasterUnreachable:
      return "master_unreachable";
    case FailureCause::kMasterSuspended:
      return "master_suspended";
    case FailureCause::kNoSpace:
      return "no_space";
    case FailureCause::kGone:
      return "gone";
    case FailureCause::kTransfer:
      return "transfer";
    case FailureCause::kBadObject:
      return "bad_object";
    case FailureCause::kTimeout:
      return "timeout";
    case FailureCause::kBusyWriter:
      return "busy_writer";
    case FailureCause::kQueueFull:
      return "queue_full";
    case FailureCause::kOther:
      return "other";
  }
  return "other";
}

const char* Name(CacheOperation operation) {
  switch (operation) {
    case CacheOperation::kLookup:
      return "lookup";
    case CacheOperation::kLoad:
      return "load";
    case CacheOperation::kSave:
      return "save";
  }
  return "other";
}

}  // namespace

FailureCause CauseOf(store::ErrorCode code) {
  switch (code) {
    case store::kNoSpace:
      return FailureCause::kNoSpace;
    case store::kObjectNotFound:
    case store::kReplicaNotReady:
    case store::kLeaseExpired:
    case store::kSegmentNotFound:
      return FailureCause::kGone;
    case store::kTransferFailed:
      return FailureCause::kTransfer;
    case store::kRpcFailed:
    case store::kRpcUnauthorized:
      return FailureCause::kMasterUnreachable;
    default:
      return FailureCause::kOther;
  }
}

CacheMetrics::CacheMetrics(MetricRegistry& registry)
    : lookups(AddCounter(registry, "tandem:cache_lookups_total", "Lookups of prompts.")),
      hit_tokens(AddCounter(registry, "tandem:cache_hit_tokens_total",
                            "Prompt tokens that lookups found in the cache.")),
      miss_tokens(AddCounter(registry, "tandem:cache_miss_tokens_total",
                             "Prompt tokens that lookups did not find.")),
      loaded_chunks(AddCounter(registry, "tandem:cache_loaded_chunks_total", "Chunks loaded.")),
      loaded_tokens(AddCounter(registry, "tandem:cache_loaded_tokens_total", "Tokens loaded.")),
      loaded_bytes(AddCounter(registry, "tandem:cache_loaded_bytes_total", "Bytes loaded.")),
      saved_chunks(AddCounter(registry, "tandem:cache_saved_chunks_total", "Chunks saved.")),
      saved_tokens(AddCounter(registry, "tandem:cache_saved_tokens_total", "Tokens saved.")),
      saved_bytes(AddCounter(registry, "tandem:cache_saved_bytes_total", "Bytes saved.")),
      present_chunks(AddCounter(registry, "tandem:cache_present_chunks_total",
                                "Chunks not saved because they were in the cache already.")),
      lookup_seconds(AddHistogram(registry, "tandem:cache_lookup_seconds",
                                  "From the start of a lookup to its end.", kSeconds)),
      load_seconds(AddHistogram(registry, "tandem:cache_load_seconds",
                                "From the start of a load to its end.", kSeconds)),
      save_seconds(AddHistogram(registry, "tandem:cache_save_seconds",
                                "From the start of a save to its end.", kSeconds)),
      failures_(prometheus::BuildCounter()
                    .Name("tandem:cache_failures_total")
                    .Help("Chunks that could not be looked up, loaded or saved, by cause.")
                    .Register(registry)) {}

void CacheMetrics::CountFailure(CacheOperation operation, FailureCause cause, int times) {
  failures_.Add({{"operation", Name(operation)}, {"cause", Name(cause)}}).Increment(times);
}

}  // namespace tandem::cache
