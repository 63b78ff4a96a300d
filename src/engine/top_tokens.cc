#include "engine/top_tokens.h"

#include <algorithm>

namespace tandem::engine {

std::vector<ScoredToken> TopTokens(std::span<const float> logits, int count) {
  const size_t wanted = std::min(logits.size(), static_cast<size_t>(std::max(count, 0)));
  std::vector<ScoredToken> heap;  // Its front is the one that ranks last.
  if (wanted == 0) return heap;
  heap.reserve(wanted);
  for (size_t id = 0; id < wanted; ++id) heap.emplace_back(id, logits[id]);
  std::make_heap(heap.begin(), heap.end(), RanksBefore);
  for (size_t id = wanted; id < logits.size(); ++id) {
    if (logits[id] <= heap.front().second) continue;  // Of equals the earlier id is in already.
    std::pop_heap(heap.begin(), heap.end(), RanksBefore);
    heap.back() = {static_cast<int32_t>(id), logits[id]};
    std::push_heap(heap.begin(), heap.end(), RanksBefore);
  }
  std::sort_heap(heap.begin(), heap.end(), RanksBefore);
  return heap;
}

}  // namespace tandem::engine
