#include "engine/testing/fake_decoder.h"

#include <algorithm>
#include <cstring>

#include "engine/counter_random.h"
#include "engine/testing/fake_tokenizer.h"

namespace tandem::engine::testing {
namespace {

constexpr int kVocabulary = FakeTokenizer::kVocabulary;

std::byte* At(const compute::KvPool& kv, compute::KvPart part, std::span<const int32_t> table,
              int position) {
  const compute::KvLayout& layout = kv.layout();
  const int32_t block = table[position / layout.block_tokens];
  return kv.Block(0, part, block) + (position % layout.block_tokens) * layout.token_bytes();
}

uint64_t Read(const std::byte* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// What attention over positions [0, position] would see.
uint64_t Extend(uint64_t prefix, const compute::KvPool& kv, std::span<const int32_t> table,
                int position) {
  const uint64_t key = Read(At(kv, compute::KvPart::kKey, table, position));
  const uint64_t value = Read(At(kv, compute::KvPart::kValue, table, position));
  return Mix64(prefix * 3 + key) + Mix64(value + position);
}

}  // namespace

FakeDecoder::FakeDecoder() {
  config_.architecture = "fake";
  config_.vocab_size = kVocabulary;
  config_.layers = 1;
}

compute::KvLayout FakeDecoder::Layout(int block_tokens) {
  return {.layers = 1,
          .kv_heads = 1,
          .head_dim = 2,
          .block_tokens = block_tokens,
          .dtype = compute::DataType::kFloat32};
}

model::Logits FakeDecoder::Forward(std::span<const model::BatchSegment> batch,
                                   const compute::KvPool& kv) {
  logits_.clear();
  int rows = 0;
  int step_tokens = 0;
  for (const model::BatchSegment& segment : batch) {
    uint64_t prefix = 0;
    for (int position = 0; position < segment.first_position; ++position) {
      prefix = Extend(prefix, kv, segment.block_table, position);
    }
    const bool decode = segment.path == model::TokenPath::kDecode;
    for (size_t i = 0; i < segment.tokens.size(); ++i) {
      const int position = segment.first_position + static_cast<int>(i);
      const uint64_t key = Mix64(prefix + segment.tokens[i] * 7919 + (decode ? 1 : 0));
      const uint64_t value = Mix64(key + position);
      std::memcpy(At(kv, compute::KvPart::kKey, segment.block_table, position), &key, sizeof(key));
      std::memcpy(At(kv, compute::KvPart::kValue, segment.block_table, position), &value,
                  sizeof(value));
      prefix = Extend(prefix, kv, segment.block_table, position);
      const bool last = i + 1 == segment.tokens.size();
      if (segment.logits == model::LogitRows::kAll ||
          (segment.logits == model::LogitRows::kLast && last)) {
        for (int token = 0; token < kVocabulary; ++token) {
          logits_.push_back(static_cast<float>(UniformDraw(prefix, token) * 8 - 4));
        }
        if (adjust_logits) adjust_logits(std::span(logits_).last(kVocabulary));
        ++rows;
      }
    }
    const int count = static_cast<int>(segment.tokens.size());
    (decode ? decode_tokens : prefill_tokens) += count;
    step_tokens += count;
  }
  ++steps;
  largest_step = std::max(largest_step, step_tokens);
  return {.data = logits_.data(), .rows = rows, .vocab_size = kVocabulary};
}

}  // namespace tandem::engine::testing
