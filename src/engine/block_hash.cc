#include "engine/block_hash.h"

#include <cstring>

#include "base/hash.h"

namespace tandem::engine {

std::vector<BlockHash> HashPromptBlocks(std::span<const int32_t> prompt, int block_tokens,
                                        std::string_view cache_salt) {
  std::vector<BlockHash> hashes(prompt.size() / block_tokens);
  const size_t token_bytes = block_tokens * sizeof(int32_t);
  std::vector<std::byte> bytes(sizeof(BlockHash) + token_bytes);
  BlockHash parent = Sha256(cache_salt);
  for (size_t block = 0; block < hashes.size(); ++block) {
    std::memcpy(bytes.data(), parent.data(), parent.size());
    std::memcpy(bytes.data() + parent.size(), prompt.data() + block * block_tokens, token_bytes);
    parent = hashes[block] = Sha256(bytes);
  }
  return hashes;
}

}  // namespace tandem::engine
