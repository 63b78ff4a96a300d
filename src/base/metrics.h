#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace tandem {

/// The metrics of a process. Owned by its command and handed to whoever counts; the references the
/// functions below return live as long as the registry. All of it is safe for use by several
/// threads.
using MetricRegistry = prometheus::Registry;

prometheus::Counter& AddCounter(MetricRegistry& registry, const std::string& name,
                                const std::string& help, const prometheus::Labels& labels = {});
prometheus::Gauge& AddGauge(MetricRegistry& registry, const std::string& name,
                            const std::string& help, const prometheus::Labels& labels = {});
/// `bounds` are the buckets' upper bounds, ascending; one for infinity is added.
prometheus::Histogram& AddHistogram(MetricRegistry& registry, const std::string& name,
                                    const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& bounds,
                                    const prometheus::Labels& labels = {});

/// Every metric in Prometheus's text format, version 0.0.4.
std::string RenderMetrics(const MetricRegistry& registry);

}  // namespace tandem
