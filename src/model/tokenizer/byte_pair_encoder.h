#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace tandem::model {

/// A rule of byte-pair encoding: the tokens `left` and `right`, side by side, become `result`.
struct Merge {
  int32_t left;
  int32_t right;
  int32_t result;
  bool ties_with_previous = false;  ///< Has the rank of the merge before it.
};

/// Byte-pair encoding of one word: begins with the token of each byte and applies the merges, those
/// of the lowest rank first, from left to right. Const and safe for use by several threads.
class BytePairEncoder {
 public:
  /// `byte_tokens`: the token of each byte, -1 to drop it. `merges` stand in the order of their
  /// ranks.
  BytePairEncoder(const std::array<int32_t, 256>& byte_tokens, std::span<const Merge> merges);

  /// Appends the word's tokens. Takes O(n log n) steps for n bytes.
  void Encode(std::string_view word, std::vector<int32_t>* tokens) const;

  /// The same for a word that is given as tokens.
  void EncodeSymbols(std::span<const int32_t> symbols, std::vector<int32_t>* tokens) const {
    MergeLong(symbols, tokens);
  }

 private:
  struct RankedMerge {
    int32_t rank;
    int32_t result;
  };

  const RankedMerge* Find(int32_t left, int32_t right) const;
  void MergeShort(std::span<int32_t> symbols, std::vector<int32_t>* tokens) const;
  void MergeLong(std::span<const int32_t> symbols, std::vector<int32_t>* tokens) const;

  std::array<int32_t, 256> byte_tokens_;
  absl::flat_hash_map<uint64_t, RankedMerge> merges_;  ///< By left << 32 | right.
};

}  // namespace tandem::model
