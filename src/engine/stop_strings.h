#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::engine {

/// Watches a text that grows for stop strings, and holds back its end as long as that may become
/// one.
class StopStrings {
 public:
  /// `stop` holds no empty strings and outlives it.
  StopStrings(const std::vector<std::string>& stop, bool include_in_output)
      : stop_(stop), include_in_output_(include_in_output) {}

  /// Text that may be shown now that `text` has followed. With `may_stop`, a stop string that ends
  /// within `text` ends everything: what precedes it (and it itself, if included) is shown and
  /// matched() names it. Of several it is the first to end, of those the longest.
  std::string Append(std::string_view text, bool may_stop);

  /// What is still held back, when nothing follows.
  std::string Flush() { return std::move(held_); }

  const std::optional<std::string>& matched() const { return matched_; }

 private:
  size_t HeldLength() const;

  const std::vector<std::string>& stop_;
  const bool include_in_output_;
  std::string held_;
  std::optional<std::string> matched_;
};

}  // namespace tandem::engine
