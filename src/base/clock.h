#pragma once

#include <chrono>

#include "base/mutex.h"

namespace tandem {

/// Points in time that waits and leases are measured by.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// A source of time, handed to whoever measures it so that tests can move it by hand. Safe for use
/// by several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;

  /// The machine's monotonic clock; lives as long as the process.
  static const Clock& Real();
};

/// A clock that stands still until it is told to move.
class FakeClock : public Clock {
 public:
  TimePoint Now() const override;
  void Advance(Duration by);

 private:
  mutable Mutex mutex_;
  TimePoint now_ ABSL_GUARDED_BY(mutex_) = TimePoint(std::chrono::hours(1));
};

/// Seconds as a floating-point number, for metrics and reports.
inline double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace tandem
