#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tandem::engine {

/// Names the content of a KV block: SHA-256 over the parent block's hash and the block's tokens.
/// The first block's parent is the hash of the request's cache salt.
using BlockHash = std::array<uint8_t, 32>;

/// Hashes of the whole blocks of `prompt`, in order.
std::vector<BlockHash> HashPromptBlocks(std::span<const int32_t> prompt, int block_tokens,
                                        std::string_view cache_salt);

}  // namespace tandem::engine
