#pragma once

#include "base/clock.h"

namespace tandem::supervisor {

/// How long to wait before a child that died is started again: half a second, twice as long after
/// each quick death, at most ten seconds. A child that has run for thirty seconds starts over.
class Backoff {
 public:
  /// The child was started at `now`.
  void Started(TimePoint now) { started_ = now; }
  /// The child died at `now`; returns when to start it again.
  TimePoint Died(TimePoint now);
  /// Deaths in a row without a long run.
  int quick_deaths() const { return quick_deaths_; }

 private:
  TimePoint started_{};
  int quick_deaths_ = 0;
};

}  // namespace tandem::supervisor
