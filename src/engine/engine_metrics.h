#pragma once

#include <string>

#include "base/metrics.h"
#include "engine/request.h"
#include "engine/sequence.h"

namespace tandem::engine {

/// The engine's counts, under vLLM's names (prefix "vllm:"), and what vLLM does not count (prefix
/// "tandem:"). Every metric has the labels model_name and engine.
class EngineMetrics {
 public:
  EngineMetrics(MetricRegistry& registry, const std::string& model_name, int max_model_len);

  /// Counts the tokens that have just been appended to an output.
  void RecordTokens(Sequence& sequence, int tokens, TimePoint now);
  void RecordFinished(const Sequence& sequence, FinishReason reason, TimePoint now);

 private:
  MetricRegistry& registry_;
  const prometheus::Labels labels_;

  prometheus::Counter& Count(const std::string& name, const std::string& help);
  prometheus::Gauge& Measure(const std::string& name, const std::string& help);
  prometheus::Histogram& Distribute(const std::string& name, const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& bounds);
  prometheus::Counter& CountFinished(const std::string& reason);

 public:
  prometheus::Gauge& requests_running;
  prometheus::Gauge& requests_waiting;
  prometheus::Gauge& kv_cache_usage;
  prometheus::Counter& preemptions;
  prometheus::Counter& prompt_tokens;
  prometheus::Counter& generation_tokens;
  prometheus::Counter& prefix_queries;
  prometheus::Counter& prefix_hits;
  prometheus::Counter& external_queries;
  prometheus::Counter& external_hits;
  prometheus::Histogram& iteration_tokens;

  prometheus::Counter& prompt_tokens_computed;
  prometheus::Counter& decode_tokens_replayed;
  prometheus::Counter& preempted_tokens_kept;
  prometheus::Counter& external_loaded_tokens;
  prometheus::Counter& external_loaded_bytes;
  prometheus::Counter& external_load_failures;
  prometheus::Counter& external_stored_tokens;
  prometheus::Counter& external_stored_bytes;
  prometheus::Counter& commit_timeouts;
  prometheus::Histogram& load_seconds;

 private:
  prometheus::Counter& finished_stop_;
  prometheus::Counter& finished_length_;
  prometheus::Counter& finished_abort_;
  prometheus::Counter& finished_error_;
  prometheus::Histogram& time_to_first_token_;
  prometheus::Histogram& inter_token_latency_;
  prometheus::Histogram& time_per_output_token_;
  prometheus::Histogram& end_to_end_;
  prometheus::Histogram& queue_time_;
  prometheus::Histogram& prefill_time_;
  prometheus::Histogram& decode_time_;
  prometheus::Histogram& inference_time_;
  prometheus::Histogram& request_prompt_tokens_;
  prometheus::Histogram& request_generation_tokens_;
};

}  // namespace tandem::engine
