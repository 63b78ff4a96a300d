#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace tandem {

/// Logs the warnings of something that is tried again and again: one that says something new at
/// once, the same again only after `period`. Not safe for use by several threads.
class RepeatedWarning {
 public:
  /// The clock outlives it.
  RepeatedWarning(const Clock& clock, Duration period) : clock_(clock), period_(period) {}

  void Say(const std::string& text);

 private:
  const Clock& clock_;
  const Duration period_;
  std::string last_text_;
  std::optional<TimePoint> last_time_;
};

}  // namespace tandem
