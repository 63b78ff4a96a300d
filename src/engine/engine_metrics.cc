#include "engine/engine_metrics.h"

namespace tandem::engine {
namespace {

using Bounds = prometheus::Histogram::BucketBoundaries;

const Bounds& FirstTokenBounds() {
  static const Bounds bounds = {0.001, 0.005, 0.01, 0.02,  0.04,  0.06,  0.08, 0.1,
                                0.25,  0.5,   0.75, 1.0,   2.5,   5.0,   7.5,  10.0,
                                20.0,  40.0,  80.0, 160.0, 640.0, 2560.0};
  return bounds;
}

const Bounds& TokenBounds() {
  static const Bounds bounds = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,  0.3,  0.4, 0.5,
                                0.75, 1.0,   2.5,  5.0,   7.5, 10.0, 20.0, 40.0, 80.0};
  return bounds;
}

const Bounds& RequestBounds() {
  static const Bounds bounds = {0.3,  0.5,   0.8,   1.0,   1.5,   2.0,    2.5,
                                5.0,  10.0,  15.0,  20.0,  30.0,  40.0,   50.0,
                                60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
  return bounds;
}

const Bounds& IterationBounds() {
  static const Bounds bounds = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
  return bounds;
}

// 1, 2, 5, 10, 20, ... up to the longest sequence.
Bounds LengthBounds(int max_model_len) {
  Bounds bounds;
  for (double decade = 1; decade <= max_model_len; decade *= 10) {
    for (const double step : {1, 2, 5}) {
      if (step * decade <= max_model_len) bounds.push_back(step * decade);
    }
  }
  return bounds;
}

}  // namespace

EngineMetrics::EngineMetrics(MetricRegistry& registry, const std::string& model_name,
                             int max_model_len)
    : registry_(registry),
      labels_({{"model_name", model_name}, {"engine", "0"}}),
      requests_running(Measure("vllm:num_requests_running", "Requests that take part in steps.")),
      requests_waiting(Measure("vllm:num_requests_waiting", "Requests that wait or load.")),
      kv_cache_usage(Measure("vllm:kv_cache_usage_perc", "Share of the KV blocks in use, 0 to 1.")),
      preemptions(Count("vllm:num_preemptions_total", "Requests put back for lack of blocks.")),
      prompt_tokens(Count("vllm:prompt_tokens_total", "Prompt tokens of requests that ran.")),
      generation_tokens(Count("vllm:generation_tokens_total", "Tokens sampled.")),
      prefix_queries(
          Count("vllm:prefix_cache_queries_total", "Tokens looked up in the local prefix cache.")),
      prefix_hits(Count("vllm:prefix_cache_hits_total", "Tokens found in the local prefix cache.")),
      external_queries(Count("vllm:external_prefix_cache_queries_total",
                             "Prompt tokens looked up in the shared cache.")),
      external_hits(Count("vllm:external_prefix_cache_hits_total",
                          "Prompt tokens loaded from the shared cache.")),
      iteration_tokens(Distribute("vllm:iteration_tokens_total", "Tokens computed in a step.",
                                  IterationBounds())),
      prompt_tokens_computed(Count("tandem:prompt_tokens_computed_total",
                                   "Prompt tokens computed here, recomputation included.")),
      decode_tokens_replayed(Count("tandem:decode_tokens_replayed_total",
                                   "Generated tokens computed again, or given by others.")),
      preempted_tokens_kept(Count("tandem:preempted_tokens_kept_total",
                                  "Tokens of preempted requests that were still there when they "
                                  "resumed.")),
      external_loaded_tokens(
          Count("tandem:external_loaded_tokens_total", "Tokens loaded from the shared cache.")),
      external_loaded_bytes(
          Count("tandem:external_loaded_bytes_total", "Bytes loaded from the shared cache.")),
      external_load_failures(
          Count("tandem:external_load_failures_total", "Loads that brought less than was found.")),
      external_stored_tokens(
          Count("tandem:external_stored_tokens_total", "Tokens saved to the shared cache.")),
      external_stored_bytes(
          Count("tandem:external_stored_bytes_total", "Bytes saved to the shared cache.")),
      commit_timeouts(
          Count("tandem:commit_timeouts_total", "Replies that stopped waiting for their saves.")),
      load_seconds(Distribute("tandem:external_load_seconds",
                              "From the start of a lookup to the end of its load.",
                              FirstTokenBounds())),
      finished_stop_(CountFinished("stop")),
      finished_length_(CountFinished("length")),
      finished_abort_(CountFinished("abort")),
      finished_error_(CountFinished("error")),
      time_to_first_token_(Distribute("vllm:time_to_first_token_seconds",
                                      "From arrival to the first token.", FirstTokenBounds())),
      inter_token_latency_(Distribute("vllm:inter_token_latency_seconds",
                                      "Between consecutive tokens.", TokenBounds())),
      time_per_output_token_(Distribute("vllm:request_time_per_output_token_seconds",
                                        "Mean time a token after the first, of a request.",
                                        TokenBounds())),
      end_to_end_(Distribute("vllm:e2e_request_latency_seconds", "From arrival to the last token.",
                             RequestBounds())),
      queue_time_(Distribute("vllm:request_queue_time_seconds", "From arrival to the first step.",
                             RequestBounds())),
      prefill_time_(Distribute("vllm:request_prefill_time_seconds",
                               "From the first step to the first token.", RequestBounds())),
      decode_time_(Distribute("vllm:request_decode_time_seconds",
                              "From the first token to the last.", RequestBounds())),
      inference_time_(Distribute("vllm:request_inference_time_seconds",
                                 "From the first step to the last token.", RequestBounds())),
      request_prompt_tokens_(Distribute("vllm:request_prompt_tokens", "Prompt tokens of a request.",
                                        LengthBounds(max_model_len))),
      request_generation_tokens_(Distribute("vllm:request_generation_tokens",
                                            "Generated tokens of a request.",
                                            LengthBounds(max_model_len))) {}

void EngineMetrics::RecordTokens(Sequence& sequence, int tokens, TimePoint now) {
  if (tokens == 0) return;
  SequenceTimes& times = sequence.times;
  if (!times.first_token) {
    times.first_token = now;
    time_to_first_token_.Observe(Seconds(now - times.arrival));
  } else {
    inter_token_latency_.Observe(Seconds(now - times.last_token) / tokens);
  }
  times.last_token = now;
}

void EngineMetrics::RecordFinished(const Sequence& sequence, FinishReason reason, TimePoint now) {
  switch (reason) {
    case FinishReason::kStop:
      finished_stop_.Increment();
      break;
    case FinishReason::kLength:
      finished_length_.Increment();
      break;
    case FinishReason::kAbort:
      finished_abort_.Increment();
      break;
    case FinishReason::kError:
      finished_error_.Increment();
      break;
  }
  const SequenceTimes& times = sequence.times;
  const int generated = sequence.output.generated();
  end_to_end_.Observe(Seconds(now - times.arrival));
  request_prompt_tokens_.Observe(sequence.prompt_length());
  request_generation_tokens_.Observe(generated);
  if (times.first_token) {
    const double decode = Seconds(times.last_token - *times.first_token);
    decode_time_.Observe(decode);
    if (generated > 1) time_per_output_token_.Observe(decode / (generated - 1));
  }
  if (!times.scheduled) return;
  queue_time_.Observe(Seconds(*times.scheduled - times.arrival));
  if (!times.first_token) return;
  // A given first token comes before the first step.
  prefill_time_.Observe(Seconds(std::max(*times.first_token, *times.scheduled) - *times.scheduled));
  inference_time_.Observe(Seconds(std::max(times.last_token, *times.scheduled) - *times.scheduled));
}

prometheus::Counter& EngineMetrics::Count(const std::string& name, const std::string& help) {
  return AddCounter(registry_, name, help, labels_);
}

prometheus::Gauge& EngineMetrics::Measure(const std::string& name, const std::string& help) {
  return AddGauge(registry_, name, help, labels_);
}

prometheus::Histogram& EngineMetrics::Distribute(const std::string& name, const std::string& help,
                                                 const Bounds& bounds) {
  return AddHistogram(registry_, name, help, bounds, labels_);
}

prometheus::Counter& EngineMetrics::CountFinished(const std::string& reason) {
  prometheus::Labels labels = labels_;
  labels.emplace("finished_reason", reason);
  return AddCounter(registry_, "vllm:request_success_total", "Requests finished.", labels);
}

}  // namespace tandem::engine
