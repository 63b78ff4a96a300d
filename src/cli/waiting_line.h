#pragma once

#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace tandem::cli {

/// What is being waited for and for how long already, on standard error, as long as this lives: one
/// line that is written over, and only where that is a terminal and it takes longer than a second.
/// For work of which nobody knows how much is done.
class WaitingLine {
 public:
  explicit WaitingLine(std::string what);
  /// Leaves the terminal's line empty.
  ~WaitingLine();
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

 private:
  void Show();

  const std::string what_;
  const TimePoint start_ = Clock::Real().Now();
  Mutex mutex_;
  CondVar ended_changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // not running without a terminal
};

}  // namespace tandem::cli
