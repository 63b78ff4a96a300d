#pragma once

#include <algorithm>

#include "base/clock.h"

namespace tandem::store {

/// A promise to the readers of an object that it will not be evicted or removed before a time.
class Lease {
 public:
  void Extend(TimePoint until) { until_ = std::max(until_, until); }
  bool active(TimePoint now) const { return now < until_; }
  TimePoint until() const { return until_; }

 private:
  TimePoint until_ = TimePoint::min();
};

}  // namespace tandem::store
