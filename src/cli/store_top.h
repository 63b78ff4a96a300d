#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "cli/store_operations.h"

namespace tandem::cli {

struct TopOptions {
  StoreOptions common;
  /// "host:port" of the master's --metrics_port, of several all, with commas; empty: 9003 of each
  /// one's host.
  std::string metrics;
  double interval_seconds = 1;
  int count = 0;  ///< Views to show; 0 shows them until a signal comes.
};

/// A segment of the pool, for the view.
struct SegmentView {
  std::string name;
  std::string host;
  uint64_t size = 0;
  uint64_t used = 0;
};

/// What a page of Prometheus text says, by name with labels; counters and gauges alike.
std::map<std::string, double> ParseMetrics(const std::string& text);

/// The pool at one moment, with the rates since the one before.
std::string TopTable(const std::vector<SegmentView>& segments,
                     const std::map<std::string, double>& before,
                     const std::map<std::string, double>& now, double seconds);
/// The same as one line of JSON.
std::string TopJson(const std::vector<SegmentView>& segments,
                    const std::map<std::string, double>& before,
                    const std::map<std::string, double>& now, double seconds);

/// Shows the pool again and again: in place on a terminal, else one view below the other.
absl::Status ShowTop(const TopOptions& options);

}  // namespace tandem::cli
