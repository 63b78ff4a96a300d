#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "compute/testing/random_weights.h"
#include "model/decoder.h"

namespace tandem::bench {

/// Stands in for a model, so that what a step takes besides it can be measured: computes nothing,
/// writes no KV, and gives every row logits that were drawn at the start: of 49,152 some three
/// hundred are within a factor of ten of the most likely one.
class IdleDecoder : public model::Decoder {
 public:
  /// `on_step` is called by each Forward with the number of rows of logits asked for.
  IdleDecoder(int vocab_size, int most_rows, std::function<void(int rows)> on_step)
      : logits_(compute::testing::RandomFloats(size_t(vocab_size) * most_rows, 1.0f, 1)),
        on_step_(std::move(on_step)) {
    for (float& logit : logits_) logit = 24 * std::pow(logit, 9.0f);
    config_.vocab_size = vocab_size;
    config_.layers = 1;
  }

  static compute::KvLayout Layout() { return {.layers = 1, .kv_heads = 1, .head_dim = 16}; }

  model::Logits Forward(std::span<const model::BatchSegment> batch,
                        const compute::KvPool&) override {
    const auto rows =
        static_cast<int>(std::count_if(batch.begin(), batch.end(), [](const auto& segment) {
          return segment.logits != model::LogitRows::kNone;
        }));
    on_step_(rows);
    return {.data = logits_.data(), .rows = rows, .vocab_size = config_.vocab_size};
  }
  const model::ModelConfig& config() const override { return config_; }
  ThreadPool& threads() override { return threads_; }

 private:
  model::ModelConfig config_;
  ThreadPool threads_{2};
  std::vector<float> logits_;  // [most_rows, vocab_size]
  const std::function<void(int)> on_step_;
};

}  // namespace tandem::bench
