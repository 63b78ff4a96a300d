#pragma once

#include <algorithm>
#include <span>
#include <string>

namespace tandem::store {

/// The most keys that one call to the master is about: others wait for it meanwhile, for some
/// milliseconds at most, and no message becomes too long.
inline constexpr size_t kMostKeysAtOnce = 1 << 12;

/// Calls `ask(first, batch)` for the keys from `first` on, batch after batch.
template <typename Ask>
void ForEachBatch(std::span<const std::string> keys, Ask ask) {
  for (size_t first = 0; first < keys.size(); first += kMostKeysAtOnce) {
    ask(first, keys.subspan(first, std::min(kMostKeysAtOnce, keys.size() - first)));
  }
}

}  // namespace tandem::store
