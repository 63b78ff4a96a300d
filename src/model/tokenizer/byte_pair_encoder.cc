#include "model/tokenizer/byte_pair_encoder.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

namespace tandem::model {
namespace {

/// Up to this many symbols, scanning all pairs for the lowest rank is faster than a heap.
constexpr size_t kShortWord = 48;

constexpr int32_t kNoMerge = std::numeric_limits<int32_t>::max();

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

/// A symbol of a long word, in a doubly linked list by index.
struct Node {
  int32_t token;
  int32_t previous;
  int32_t next;
};

/// A pair that may be merged; out of date if its symbols have changed since.
struct Candidate {
  int32_t rank;
  int32_t left_node;
  int32_t left;
  int32_t right;
  int32_t result;

  /// Orders std::priority_queue by lowest rank, then leftmost.
  bool operator<(const Candidate& other) const {
    return std::tie(rank, left_node) > std::tie(other.rank, other.left_node);
  }
};

}  // namespace

BytePairEncoder::BytePairEncoder(const std::array<int32_t, 256>& byte_tokens,
                                 std::span<const Merge> merges)
    : byte_tokens_(byte_tokens) {
  merges_.reserve(merges.size());
  int32_t rank = 0;
  for (const Merge& merge : merges) {
    if (!merge.ties_with_previous) ++rank;
    merges_.try_emplace(PairKey(merge.left, merge.right), RankedMerge{rank, merge.result});
  }
}

const BytePairEncoder::RankedMerge* BytePairEncoder::Find(int32_t left, int32_t right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::Encode(std::string_view word, std::vector<int32_t>* tokens) const {
  if (word.size() <= kShortWord) {
    std::array<int32_t, kShortWord> symbols;
    size_t size = 0;
    for (const char c : word) {
      const int32_t token = byte_tokens_[static_cast<uint8_t>(c)];
      if (token >= 0) symbols[size++] = token;
    }
    MergeShort(std::span(symbols).first(size), tokens);
    return;
  }
  std::vector<int32_t> symbols;
  symbols.reserve(word.size());
  for (const char c : word) {
    const int32_t token = byte_tokens_[static_cast<uint8_t>(c)];
    if (token >= 0) symbols.push_back(token);
  }
  MergeLong(symbols, tokens);
}

void BytePairEncoder::MergeShort(std::span<int32_t> symbols, std::vector<int32_t>* tokens) const {
  std::array<int32_t, kShortWord> ranks;
  std::array<int32_t, kShortWord> results;
  size_t size = symbols.size();
  const auto look_up = [&](size_t left) {
    const RankedMerge* merge = Find(symbols[left], symbols[left + 1]);
    ranks[left] = merge == nullptr ? kNoMerge : merge->rank;
    results[left] = merge == nullptr ? -1 : merge->result;
  };
  for (size_t i = 0; i + 1 < size; ++i) look_up(i);
  while (size > 1) {
    const auto lowest = std::min_element(ranks.begin(), ranks.begin() + size - 1);
    if (*lowest == kNoMerge) break;
    const size_t at = static_cast<size_t>(lowest - ranks.begin());
    symbols[at] = results[at];
    std::copy(symbols.begin() + at + 2, symbols.begin() + size, symbols.begin() + at + 1);
    std::copy(ranks.begin() + at + 1, ranks.begin() + size - 1, ranks.begin() + at);
    std::copy(results.begin() + at + 1, results.begin() + size - 1, results.begin() + at);
    --size;
    if (at > 0) look_up(at - 1);
    if (at + 1 < size) look_up(at);
  }
  tokens->insert(tokens->end(), symbols.begin(), symbols.begin() + size);
}

void BytePairEncoder::MergeLong(std::span<const int32_t> symbols,
                                std::vector<int32_t>* tokens) const {
  const int32_t size = static_cast<int32_t>(symbols.size());
  std::vector<Node> nodes(symbols.size());
  for (int32_t i = 0; i < size; ++i) {
    nodes[i] = {symbols[i], i - 1, i + 1 < size ? i + 1 : -1};
  }
  std::priority_queue<Candidate> candidates;
  const auto consider = [&](int32_t left_node) {
    if (left_node < 0 || nodes[left_node].next < 0) return;
    const int32_t left = nodes[left_node].token;
    const int32_t right = nodes[nodes[left_node].next].token;
    const RankedMerge* merge = Find(left, right);
    if (merge != nullptr) {
      candidates.push({merge->rank, left_node, left, right, merge->result});
    }
  };
  for (int32_t i = 0; i + 1 < size; ++i) consider(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Node& left = nodes[best.left_node];
    if (left.token != best.left || left.next < 0 || nodes[left.next].token != best.right) continue;
    Node& right = nodes[left.next];
    left.token = best.result;
    left.next = right.next;
    right.token = -1;
    if (left.next >= 0) nodes[left.next].previous = best.left_node;
    consider(left.previous);
    consider(best.left_node);
  }
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = nodes[i].next) {
    tokens->push_back(nodes[i].token);
  }
}

}  // namespace tandem::model
