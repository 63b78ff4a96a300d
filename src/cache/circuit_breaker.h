#pragma once

#include "base/clock.h"
#include "base/mutex.h"

namespace tandem::cache {

/// Keeps callers from waiting, one after the other, for a peer that does not answer: after a
/// failure calls are refused at once for a while, which doubles with every further failure. When it
/// has passed, one call at a time is let through to try. Safe for use by several threads.
class CircuitBreaker {
 public:
  CircuitBreaker(const Clock& clock, Duration first_pause, Duration longest_pause)
      : clock_(clock), first_pause_(first_pause), longest_pause_(longest_pause) {}

  /// Whether a call may be made. Whoever gets true reports the outcome.
  bool Allow();
  void Succeeded();
  void Failed();

  /// Whether calls are refused, but for those that try.
  bool open() const;

 private:
  const Clock& clock_;
  const Duration first_pause_;
  const Duration longest_pause_;

  mutable Mutex mutex_;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  Duration pause_ ABSL_GUARDED_BY(mutex_) = Duration::zero();
  bool trying_ ABSL_GUARDED_BY(mutex_) =
      false;  // One call was let through; its outcome is awaited.
  TimePoint next_try_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tandem::cache
