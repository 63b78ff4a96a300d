#pragma once

#include <memory>
#include <string>

namespace tandem::supervisor {

/// Writes text to a descriptor on a thread of its own, so that a terminal that stands still stops
/// nobody. What is not taken waits up to a mebibyte; beyond that text is dropped, and how many
/// lines is said once there is room. Safe for use by several threads.
class LinePrinter {
 public:
  /// `fd` stays the caller's and must stay open until the process ends.
  explicit LinePrinter(int fd);
  /// Waits up to a second for what is left.
  ~LinePrinter();
  LinePrinter(const LinePrinter&) = delete;
  LinePrinter& operator=(const LinePrinter&) = delete;

  /// Takes whole lines; returns at once.
  void Print(const std::string& lines);

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace tandem::supervisor
