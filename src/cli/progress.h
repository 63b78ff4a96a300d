#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace tandem::cli {

/// How far something has come, on standard error: one line that is written over, and only where
/// that is a terminal and the work takes longer than a second.
class Progress {
 public:
  /// `total` is 0 where it is not known. `what` stands first on the line.
  Progress(std::string what, uint64_t total_bytes);
  /// Leaves the terminal's line empty.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Advance(uint64_t bytes);

  /// The line for so many bytes after so many seconds.
  static std::string Line(const std::string& what, uint64_t done, uint64_t total, double seconds);

 private:
  const std::string what_;
  const uint64_t total_;
  const bool terminal_;
  const TimePoint start_ = Clock::Real().Now();
  TimePoint next_;
  uint64_t done_ = 0;
  bool shown_ = false;
};

}  // namespace tandem::cli
