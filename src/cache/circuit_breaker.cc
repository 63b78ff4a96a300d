#include "cache/circuit_breaker.h"

#include <algorithm>

namespace tandem::cache {

bool CircuitBreaker::Allow() {
  MutexLock lock(mutex_);
  if (!broken_) return true;
  if (trying_ || clock_.Now() < next_try_) return false;
  trying_ = true;
  return true;
}

void CircuitBreaker::Succeeded() {
  MutexLock lock(mutex_);
  broken_ = false;
  trying_ = false;
}

void CircuitBreaker::Failed() {
  MutexLock lock(mutex_);
  // Calls that were under way together fail together: they count as one failure.
  if (broken_ && !trying_) return;
  pause_ = broken_ ? std::min(2 * pause_, longest_pause_) : first_pause_;
  broken_ = true;
  trying_ = false;
  next_try_ = clock_.Now() + pause_;
}

bool CircuitBreaker::open() const {
  MutexLock lock(mutex_);
  return broken_;
}

}  // namespace tandem::cache
