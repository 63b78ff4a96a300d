#pragma once

#include "base/metrics.h"

namespace tandem::proxy {

/// What the proxy counts. The members are safe for use by several threads.
struct ProxyMetrics {
  explicit ProxyMetrics(MetricRegistry& registry);

  prometheus::Counter& requests;
  prometheus::Counter& failed_requests;
  prometheus::Counter& disconnects;
  prometheus::Gauge& in_flight;
  prometheus::Counter& prefills;
  prometheus::Counter& prefills_skipped;
  prometheus::Counter& prefill_failures;
  prometheus::Counter& prefill_answers;
  prometheus::Counter& whole_to_decoder;
  prometheus::Counter& decoder_failovers;
  prometheus::Counter& resumed_streams;
  prometheus::Counter& broken_streams;
  prometheus::Counter& namespace_mismatches;
  prometheus::Counter& upstream_hand_offs;
  prometheus::Counter& stored_bytes;
  prometheus::Histogram& prefill_seconds;
  prometheus::Histogram& hand_off_seconds;
  prometheus::Histogram& time_to_first_byte_seconds;
  prometheus::Histogram& request_seconds;
};

}  // namespace tandem::proxy
