#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/decoder.h"

namespace tandem::engine::testing {

/// A model whose K and V of a position are hashes of the token, its position, its path and of
/// everything it reads from the KV blocks of the positions before, and whose logits are made of the
/// same. Whatever is wrong with a block, a position or a path shows in the logits.
class FakeDecoder : public model::Decoder {
 public:
  FakeDecoder();

  /// The layout of pools it can use.
  static compute::KvLayout Layout(int block_tokens);

  model::Logits Forward(std::span<const model::BatchSegment> batch,
                        const compute::KvPool& kv) override;
  const model::ModelConfig& config() const override { return config_; }
  ThreadPool& threads() override { return threads_; }

  /// Changes the logits of each row before they are handed out.
  std::function<void(std::span<float>)> adjust_logits;

  int64_t prefill_tokens = 0;  ///< Computed so far.
  int64_t decode_tokens = 0;
  int steps = 0;
  int largest_step = 0;  ///< Most tokens in a step.

 private:
  model::ModelConfig config_;
  ThreadPool threads_{2};
  std::vector<float> logits_;
};

}  // namespace tandem::engine::testing
