#include "proxy/proxy_metrics.h"

namespace tandem::proxy {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

}  // namespace

ProxyMetrics::ProxyMetrics(MetricRegistry& registry)
    : requests(AddCounter(registry, "tandem_proxy_requests_total",
                          "Completion requests that were received.")),
      failed_requests(AddCounter(registry, "tandem_proxy_failed_requests_total",
                                 "Requests answered with an error of the proxy's own.")),
      disconnects(AddCounter(registry, "tandem_proxy_disconnects_total",
                             "Requests whose client left before the end of the reply.")),
      in_flight(AddGauge(registry, "tandem_proxy_requests_in_flight",
                         "Completion requests that are being served.")),
      prefills(AddCounter(registry, "tandem_proxy_prefills_total",
                          "Prefills that were asked of a prefiller.")),
      prefills_skipped(AddCounter(registry, "tandem_proxy_prefills_skipped_total",
                                  "Requests that went whole to a decoder because no prefiller was "
                                  "up.")),
      prefill_failures(
          AddCounter(registry, "tandem_proxy_prefill_failures_total",
                     "Prefills that failed, so that a decoder did the whole request.")),
      prefill_answers(AddCounter(registry, "tandem_proxy_prefill_answers_total",
                                 "Requests that the first token completed.")),
      whole_to_decoder(AddCounter(registry, "tandem_proxy_whole_to_decoder_total",
                                  "Requests of a kind that is not split into prefill and decode.")),
      decoder_failovers(AddCounter(registry, "tandem_proxy_decoder_failovers_total",
                                   "Times a request was moved from a failed decoder to another.")),
      resumed_streams(AddCounter(registry, "tandem_proxy_resumed_streams_total",
                                 "Streams that another decoder continued.")),
      broken_streams(AddCounter(registry, "tandem_proxy_broken_streams_total",
                                "Streams that ended with an error because no decoder could "
                                "continue them.")),
      namespace_mismatches(AddCounter(registry, "tandem_proxy_namespace_mismatches_total",
                                      "Hand-offs between instances whose KV cache namespaces "
                                      "differ.")),
      upstream_hand_offs(AddCounter(registry, "tandem_proxy_upstream_hand_offs_total",
                                    "Hand-offs to decoders of another make, which got prompt and "
                                    "first token as ids.")),
      stored_bytes(AddCounter(registry, "tandem_proxy_stored_bytes_total",
                              "KV bytes that prefillers told they stored.")),
      prefill_seconds(AddHistogram(registry, "tandem_proxy_prefill_seconds",
                                   "From asking the prefiller to its reply.", kSeconds)),
      hand_off_seconds(AddHistogram(registry, "tandem_proxy_hand_off_seconds",
                                    "From the prefiller's reply to the decoder's first byte.",
                                    kSeconds)),
      time_to_first_byte_seconds(AddHistogram(registry, "tandem_proxy_time_to_first_byte_seconds",
                                              "From a request's arrival to the reply's first byte.",
                                              kSeconds)),
      request_seconds(AddHistogram(registry, "tandem_proxy_request_seconds",
                                   "From a request's arrival to the end of its reply.", kSeconds)) {
}

}  // namespace tandem::proxy
