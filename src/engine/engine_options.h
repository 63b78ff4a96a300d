#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::engine {

/// Who goes first: whoever came first, or whoever has the lowest priority number and of those
/// whoever came first.
enum class SchedulingPolicy { kFirstComeFirstServed, kPriority };

struct EngineOptions {
  std::string model_name;  ///< The metrics' label.
  int num_blocks = 0;      ///< Of the KV pool.
  int max_model_len = 0;   ///< Most tokens of prompt and output; the KV pool may allow fewer.
  int max_num_seqs = 256;
  int max_num_batched_tokens = 2048;   ///< Tokens computed in a step.
  bool enable_prefix_caching = false;  ///< Whether prompts share the KV blocks of equal beginnings.
  SchedulingPolicy scheduling_policy = SchedulingPolicy::kFirstComeFirstServed;
  uint64_t seed = 0;  ///< From which the seeds of requests without one are drawn.
  std::vector<int32_t> eos_token_ids;
};

}  // namespace tandem::engine
