#include "model/hub/retry.h"

#include <algorithm>

#include "model/hub/failure.h"

namespace tandem::model::hub {

std::optional<Duration> RetrySchedule::Failed(const HttpOutcome& outcome, bool progressed) {
  // A reply that is whole but shorter than what was asked for is one more broken connection.
  const bool is_short = outcome.broken == HttpOutcome::Broken::kNot && outcome.head.ok();
  if (!IsTransient(outcome) && !is_short) return std::nullopt;
  if (progressed) failures_ = 0;
  if (++failures_ >= limits_.attempts) return std::nullopt;
  Duration wait = limits_.first_wait;
  for (int i = 1; i < failures_ && wait < limits_.longest_wait; ++i) wait *= 2;
  wait = std::min(wait, limits_.longest_wait);
  if (const auto asked = AskedWait(outcome.head); asked && !outcome.head.ok()) {
    if (*asked > limits_.longest_asked_wait) return std::nullopt;
    wait = std::max<Duration>(wait, *asked);
  }
  return wait;
}

}  // namespace tandem::model::hub
