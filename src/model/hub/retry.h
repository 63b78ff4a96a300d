#pragma once

#include <optional>

#include "base/clock.h"
#include "model/hub/http_session.h"

namespace tandem::model::hub {

/// How often and how long to try again.
struct RetryLimits {
  int attempts = 6;  ///< In a row that bring nothing, the first included.
  Duration first_wait = std::chrono::seconds(1);
  Duration longest_wait = std::chrono::seconds(30);
  /// The longest that a server may ask to stay away. The hub counts requests over five minutes.
  Duration longest_asked_wait = std::chrono::minutes(6);
};

/// Counts the attempts at one piece of work. The wait doubles after each that brings nothing, and
/// starts over after one that brings something; what a server asks for counts if it is longer.
class RetrySchedule {
 public:
  explicit RetrySchedule(const RetryLimits& limits) : limits_(limits) {}

  /// An attempt has failed with `outcome`; `progressed` if it brought something that is kept.
  /// Returns how long to wait before the next, nothing if there is to be none: the failure is not
  /// transient, there were too many, or the server asks for too long.
  std::optional<Duration> Failed(const HttpOutcome& outcome, bool progressed);

 private:
  const RetryLimits limits_;
  int failures_ = 0;
};

}  // namespace tandem::model::hub
