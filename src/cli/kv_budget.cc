#include "cli/kv_budget.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::cli {
namespace {

constexpr int kShareOfMemory = 4;
constexpr uint64_t kMostBlocks = uint64_t{1} << 30;

/// `needed` blocks hold the shortest context that will do.
absl::Status DoesNotFit(const KvBudgetRequest& request, uint64_t blocks, uint64_t needed) {
  const uint64_t block_tokens = static_cast<uint64_t>(request.layout.block_tokens);
  const uint64_t needed_bytes = needed * block_tokens * request.layout.all_token_bytes();
  const uint64_t context =
      request.max_model_len ? static_cast<uint64_t>(*request.max_model_len) : block_tokens;
  if (!request.memory_bytes) {
    return absl::OutOfRangeError(fmt::format(
        "--max-model-len: {} is not accepted; it takes 1 to {} tokens with a quarter of the "
        "available memory, or --kv-cache-memory of at least {} bytes",
        context, blocks * block_tokens, needed_bytes));
  }
  return absl::OutOfRangeError(
      fmt::format("--kv-cache-memory: {} bytes are not accepted, as they hold {} tokens; it takes "
                  "at least {} bytes for a context of {} tokens{}",
                  *request.memory_bytes, blocks * block_tokens, needed_bytes, context,
                  request.max_model_len ? " (--max-model-len)" : ""));
}

}  // namespace

absl::StatusOr<KvBudget> PlanKvBudget(const KvBudgetRequest& request) {
  const uint64_t block_tokens = static_cast<uint64_t>(request.layout.block_tokens);
  const uint64_t block_bytes = block_tokens * request.layout.all_token_bytes();
  const int wanted = request.max_model_len.value_or(request.model_positions);
  if (wanted > request.model_positions) {
    return absl::OutOfRangeError(
        fmt::format("--max-model-len: {} is not accepted; the model takes 1 to {} tokens", wanted,
                    request.model_positions));
  }
  const uint64_t blocks_of_one = (static_cast<uint64_t>(wanted) + block_tokens - 1) / block_tokens;
  uint64_t blocks =
      request.memory_bytes.value_or(request.available_bytes / kShareOfMemory) / block_bytes;
  if (!request.memory_bytes) {
    blocks = std::min(blocks, blocks_of_one * static_cast<uint64_t>(request.max_num_seqs));
  }
  blocks = std::min(blocks, kMostBlocks);
  if (blocks == 0 || (request.max_model_len && blocks < blocks_of_one)) {
    return DoesNotFit(request, blocks, request.max_model_len ? blocks_of_one : 1);
  }
  const uint64_t fits = std::min<uint64_t>(blocks * block_tokens, static_cast<uint64_t>(wanted));
  return KvBudget{.blocks = static_cast<int>(blocks), .max_model_len = static_cast<int>(fits)};
}

}  // namespace tandem::cli
