#include "engine/block_hash.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace tandem::engine {

std::span<const BlockHash> BlockHashes::First(int count, std::span<const int32_t> tokens) {
  const size_t token_bytes = block_tokens_ * sizeof(int32_t);
  std::vector<std::byte> bytes(sizeof(BlockHash) + token_bytes + sizeof(int32_t));
  for (int block = static_cast<int>(hashes_.size()); block < count; ++block) {
    const BlockHash& parent = block == 0 ? root_ : hashes_.back();
    const int first = block * block_tokens_;
    const int32_t of_prompt = std::clamp(prompt_tokens_ - first, 0, block_tokens_);
    std::memcpy(bytes.data(), parent.data(), parent.size());
    std::memcpy(bytes.data() + parent.size(), tokens.data() + first, token_bytes);
    std::memcpy(bytes.data() + parent.size() + token_bytes, &of_prompt, sizeof(of_prompt));
    const bool prompt_only = of_prompt == block_tokens_;
    const size_t size = bytes.size() - (prompt_only ? sizeof(of_prompt) : 0);
    hashes_.push_back(Sha256(std::span<const std::byte>(bytes).first(size)));
  }
  return std::span<const BlockHash>(hashes_).first(count);
}

}  // namespace tandem::engine
