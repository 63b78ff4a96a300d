#pragma once

#include <string>
#include <string_view>

namespace tandem::supervisor {

/// Takes a child's output as it comes and gives whole lines with the child's role before them.
class LineRelay {
 public:
  explicit LineRelay(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The lines that `part` completes, each with the prefix. A line longer than 64 KiB is cut.
  std::string Append(std::string_view part);
  /// What came after the last line's end, as a line.
  std::string Flush();

 private:
  std::string TakeLine(std::string_view line) const;

  const std::string prefix_;
  std::string pending_;
};

}  // namespace tandem::supervisor
