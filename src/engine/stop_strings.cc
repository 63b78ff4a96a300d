#include "engine/stop_strings.h"

#include <algorithm>

namespace tandem::engine {

std::string StopStrings::Append(std::string_view text, bool may_stop) {
  const size_t old_size = held_.size();
  held_.append(text);
  if (may_stop && !text.empty()) {
    size_t first = 0, end = std::string::npos;
    for (const std::string& stop : stop_) {
      // A match must end in the new text. The first to end is the one that any cut of it finds.
      const size_t from = old_size + 1 > stop.size() ? old_size + 1 - stop.size() : 0;
      const size_t found = held_.find(stop, from);
      if (found == std::string::npos) continue;
      if (found + stop.size() < end || (found + stop.size() == end && found < first)) {
        first = found;
        end = found + stop.size();
        matched_ = stop;
      }
    }
    if (matched_) {
      std::string shown = held_.substr(0, first + (include_in_output_ ? matched_->size() : 0));
      held_.clear();
      return shown;
    }
  }
  const size_t kept = HeldLength();
  std::string shown = held_.substr(0, held_.size() - kept);
  held_.erase(0, shown.size());
  return shown;
}

// Length of the longest end of the text that begins a stop string.
size_t StopStrings::HeldLength() const {
  size_t longest = 0;
  for (const std::string& stop : stop_) {
    for (size_t size = std::min(stop.size() - 1, held_.size()); size > longest; --size) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, size))) longest = size;
    }
  }
  return longest;
}

}  // namespace tandem::engine
