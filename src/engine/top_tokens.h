#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tandem::engine {

/// A token and its logit.
using ScoredToken = std::pair<int32_t, float>;

/// Whether `a` ranks before `b`: the higher logit, of equals the lower id.
inline bool RanksBefore(const ScoredToken& a, const ScoredToken& b) {
  return a.second > b.second || (a.second == b.second && a.first < b.first);
}

/// The `count` (at most logits.size()) highest logits, best first.
std::vector<ScoredToken> TopTokens(std::span<const float> logits, int count);

}  // namespace tandem::engine
