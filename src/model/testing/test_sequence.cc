#include "model/testing/test_sequence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

namespace tandem::model::testing {
namespace {

compute::KvPool MakePool(const ModelConfig& config, int max_tokens) {
  compute::KvLayout layout;
  layout.layers = config.layers;
  layout.kv_heads = config.kv_heads;
  layout.head_dim = config.head_dim;
  layout.dtype = config.dtype;
  const int blocks = (max_tokens + layout.block_tokens - 1) / layout.block_tokens;
  return std::move(compute::KvPool::Create(layout, blocks)).value();
}

}  // namespace

TestSequence::TestSequence(const ModelConfig& config, int max_tokens, uint64_t seed)
    : pool_(MakePool(config, max_tokens)), block_table_(pool_.num_blocks()) {
  std::iota(block_table_.begin(), block_table_.end(), 0);
  std::shuffle(block_table_.begin(), block_table_.end(), std::mt19937_64(seed));
}

BatchSegment TestSequence::Next(std::span<const int32_t> tokens, TokenPath path, LogitRows logits) {
  const BatchSegment segment{tokens, length_, block_table_, path, logits};
  length_ += static_cast<int>(tokens.size());
  return segment;
}

Logits TestSequence::Run(Decoder& decoder, std::span<const int32_t> tokens, TokenPath path,
                         LogitRows logits) {
  const BatchSegment segment = Next(tokens, path, logits);
  return decoder.Forward({&segment, 1}, pool_);
}

std::vector<std::byte> TestSequence::KvBytes(int tokens) const {
  const compute::KvLayout& layout = pool_.layout();
  std::vector<std::byte> bytes;
  for (const compute::KvPart part : {compute::KvPart::kKey, compute::KvPart::kValue}) {
    for (int layer = 0; layer < layout.layers; ++layer) {
      for (int token = 0; token < tokens; ++token) {
        const std::byte* block =
            pool_.Block(layer, part, block_table_[token / layout.block_tokens]);
        const std::byte* row = block + token % layout.block_tokens * layout.token_bytes();
        bytes.insert(bytes.end(), row, row + layout.token_bytes());
      }
    }
  }
  return bytes;
}

int32_t ArgMax(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double LogProbability(std::span<const float> logits, int32_t token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return logits[token] - largest - std::log(sum);
}

}  // namespace tandem::model::testing
