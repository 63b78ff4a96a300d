#include "supervisor/line_relay.h"

#include <fmt/format.h>

#include <utility>

namespace tandem::supervisor {
namespace {

constexpr size_t kLongestLine = 64 << 10;

}  // namespace

std::string LineRelay::Append(std::string_view part) {
  pending_.append(part);
  std::string lines;
  size_t start = 0;
  while (true) {
    const size_t end = pending_.find('\n', start);
    if (end == std::string::npos) break;
    lines += TakeLine(std::string_view(pending_).substr(start, end - start));
    start = end + 1;
  }
  pending_.erase(0, start);
  if (pending_.size() >= kLongestLine) lines += Flush();
  return lines;
}

std::string LineRelay::Flush() {
  if (pending_.empty()) return "";
  return TakeLine(std::exchange(pending_, ""));
}

std::string LineRelay::TakeLine(std::string_view line) const {
  return fmt::format("{}{}\n", prefix_, line);
}

}  // namespace tandem::supervisor
