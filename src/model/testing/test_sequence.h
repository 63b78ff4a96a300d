#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/kv_pool.h"
#include "model/decoder.h"

namespace tandem::model::testing {

/// A sequence and its KV blocks, which it takes from a pool of its own.
class TestSequence {
 public:
  /// Room for `max_tokens`. Blocks stand in the pool in a shuffled order that `seed` gives.
  TestSequence(const ModelConfig& config, int max_tokens, uint64_t seed = 1);

  const compute::KvPool& pool() const { return pool_; }
  int length() const { return length_; }

  /// Its next tokens as a segment; they count as computed from then on.
  BatchSegment Next(std::span<const int32_t> tokens, TokenPath path, LogitRows logits);

  /// Computes its next tokens alone.
  Logits Run(Decoder& decoder, std::span<const int32_t> tokens, TokenPath path, LogitRows logits);

  /// The cache's bytes of the first `tokens` tokens: [2, layers, tokens, kv_heads * head_dim].
  std::vector<std::byte> KvBytes(int tokens) const;

 private:
  compute::KvPool pool_;
  std::vector<int32_t> block_table_;
  int length_ = 0;
};

/// Index of the largest value; of equal ones, the first.
int32_t ArgMax(std::span<const float> logits);

/// Logarithm of the probability that the logits give to `token`.
double LogProbability(std::span<const float> logits, int32_t token);

}  // namespace tandem::model::testing
