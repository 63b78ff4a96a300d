#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/kv_pool.h"
#include "model/decoder.h"

namespace tandem::model::testing {

/// KV blocks that sequences of one batch share.
class TestPool {
 public:
  /// Room for `max_tokens`, in blocks whose order is shuffled by `seed`.
  TestPool(const ModelConfig& config, int max_tokens, uint64_t seed = 1);

  const compute::KvPool& kv() const { return kv_; }
  /// Blocks for `tokens` tokens that nobody has yet.
  std::vector<int32_t> Take(int tokens);

 private:
  compute::KvPool kv_;
  std::vector<int32_t> free_;
};

/// A sequence that keeps count of what is computed.
class TestSequence {
 public:
  TestSequence(TestPool& pool, int max_tokens)
      : kv_(&pool.kv()), block_table_(pool.Take(max_tokens)) {}

  int length() const { return length_; }

  /// Its next tokens as a segment; they count as computed from then on.
  BatchSegment Next(std::span<const int32_t> tokens, TokenPath path, LogitRows logits);

  /// Computes its next tokens alone.
  Logits Run(Decoder& decoder, std::span<const int32_t> tokens, TokenPath path, LogitRows logits);

  /// The cache's bytes of the first `tokens` tokens: [2, layers, tokens, kv_heads * head_dim].
  std::vector<std::byte> KvBytes(int tokens) const;

  /// Puts the first `tokens` tokens of another sequence's KvBytes(all_tokens) into the cache, as
  /// its first: they count as computed.
  void Load(std::span<const std::byte> bytes, int all_tokens, int tokens);

 private:
  std::byte* Row(int layer, compute::KvPart part, int token) const;

  const compute::KvPool* kv_;
  std::vector<int32_t> block_table_;
  int length_ = 0;
};

/// Index of the largest value; of equal ones, the first.
int32_t ArgMax(std::span<const float> logits);

/// Logarithm of the probability that the logits give to `token`.
double LogProbability(std::span<const float> logits, int32_t token);

}  // namespace tandem::model::testing
