#pragma once

#include <sched.h>

#include "base/clock.h"

namespace tandem {

/// One of the few threads of this process that may wait awake at the same time: half as many as
/// there are cores. To sleep and be woken takes longer than what comes within microseconds.
class AwakeWaiter {
 public:
  AwakeWaiter();
  ~AwakeWaiter();
  AwakeWaiter(const AwakeWaiter&) = delete;
  AwakeWaiter& operator=(const AwakeWaiter&) = delete;

  /// False if too many others are.
  bool may_wait() const { return may_wait_; }

 private:
  const bool may_wait_;
};

/// The calls of a batch of small objects, their messages, and what is done between two of them take
/// less: for so long it is worth it to wait awake.
inline constexpr Duration kPrompt = std::chrono::microseconds(300);

/// Calls `done` until it returns true or `until` has passed, giving way to threads that want the
/// processor (sched_yield); returns at once where too many others wait like this.
template <typename Done>
void WaitAwake(TimePoint until, Done done) {
  const AwakeWaiter waiter;
  while (waiter.may_wait() && !done() && Clock::Real().Now() < until) sched_yield();
}

}  // namespace tandem
