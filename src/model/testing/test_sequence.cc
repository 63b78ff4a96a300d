#include "model/testing/test_sequence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

namespace tandem::model::testing {
namespace {

// Each sequence rounds up to whole blocks.
constexpr int kSpareBlocks = 64;

int Blocks(int tokens) {
  const int block_tokens = compute::KvLayout().block_tokens;
  return (tokens + block_tokens - 1) / block_tokens;
}

compute::KvPool MakeKvPool(const ModelConfig& config, int max_tokens) {
  compute::KvLayout layout;
  layout.layers = config.layers;
  layout.kv_heads = config.kv_heads;
  layout.head_dim = config.head_dim;
  layout.dtype = config.dtype;
  return std::move(compute::KvPool::Create(layout, Blocks(max_tokens) + kSpareBlocks)).value();
}

}  // namespace

TestPool::TestPool(const ModelConfig& config, int max_tokens, uint64_t seed)
    : kv_(MakeKvPool(config, max_tokens)), free_(kv_.num_blocks()) {
  std::iota(free_.begin(), free_.end(), 0);
  std::shuffle(free_.begin(), free_.end(), std::mt19937_64(seed));
}

std::vector<int32_t> TestPool::Take(int tokens) {
  const std::vector<int32_t> taken(free_.end() - Blocks(tokens), free_.end());
  free_.resize(free_.size() - taken.size());
  return taken;
}

BatchSegment TestSequence::Next(std::span<const int32_t> tokens, TokenPath path, LogitRows logits) {
  const BatchSegment segment{tokens, length_, block_table_, path, logits};
  length_ += static_cast<int>(tokens.size());
  return segment;
}

Logits TestSequence::Run(Decoder& decoder, std::span<const int32_t> tokens, TokenPath path,
                         LogitRows logits) {
  const BatchSegment segment = Next(tokens, path, logits);
  return decoder.Forward({&segment, 1}, *kv_);
}

std::byte* TestSequence::Row(int layer, compute::KvPart part, int token) const {
  const compute::KvLayout& layout = kv_->layout();
  return kv_->Block(layer, part, block_table_[token / layout.block_tokens]) +
         token % layout.block_tokens * layout.token_bytes();
}

std::vector<std::byte> TestSequence::KvBytes(int tokens) const {
  const compute::KvLayout& layout = kv_->layout();
  std::vector<std::byte> bytes;
  for (const compute::KvPart part : {compute::KvPart::kKey, compute::KvPart::kValue}) {
    for (int layer = 0; layer < layout.layers; ++layer) {
      for (int token = 0; token < tokens; ++token) {
        const std::byte* row = Row(layer, part, token);
        bytes.insert(bytes.end(), row, row + layout.token_bytes());
      }
    }
  }
  return bytes;
}

void TestSequence::Load(std::span<const std::byte> bytes, int all_tokens, int tokens) {
  const compute::KvLayout& layout = kv_->layout();
  const size_t row_bytes = layout.token_bytes();
  size_t plane = 0;
  for (const compute::KvPart part : {compute::KvPart::kKey, compute::KvPart::kValue}) {
    for (int layer = 0; layer < layout.layers; ++layer, ++plane) {
      for (int token = 0; token < tokens; ++token) {
        const auto from = bytes.subspan((plane * all_tokens + token) * row_bytes, row_bytes);
        std::copy(from.begin(), from.end(), Row(layer, part, token));
      }
    }
  }
  length_ = tokens;
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
