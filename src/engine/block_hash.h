#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tandem::engine {

/// Names the content of a KV block: SHA-256 over the parent block's hash, the block's tokens and,
/// if not all of them belong to the prompt, how many do. Generated tokens take another numeric path
/// than the same tokens take in a prompt, so that their KV is another.
using BlockHash = std::array<uint8_t, 32>;

/// The hashes of one sequence's whole blocks, each computed once.
class BlockHashes {
 public:
  /// `root` is the first block's parent: sequences with different roots share nothing.
  BlockHashes(const BlockHash& root, int block_tokens, int prompt_tokens)
      : root_(root), block_tokens_(block_tokens), prompt_tokens_(prompt_tokens) {}

  /// Of the first `count` blocks of the sequence's tokens, which fill them. Valid until the next
  /// call. The tokens of a block that was asked for before must not have changed.
  std::span<const BlockHash> First(int count, std::span<const int32_t> tokens);

 private:
  const BlockHash root_;
  const int block_tokens_;
  const int prompt_tokens_;
  std::vector<BlockHash> hashes_;
};

}  // namespace tandem::engine
