#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "compute/aligned_buffer.h"
#include "compute/ops/decode_linear.h"
#include "compute/ops/rope.h"
#include "model/decode_pass.h"
#include "model/decoder.h"
#include "model/decoder_context.h"
#include "model/decoder_weights.h"
#include "model/prefill_pass.h"

namespace tandem::model {

/// The decoder on the CPU: a batch's prompt tokens go through the prefill pass, its generated
/// tokens through the decode pass, and whichever rows are asked for through one and the same
/// lm_head.
class DecoderGraph : public Decoder {
 public:
  DecoderGraph(const ModelConfig& config, DecoderWeights weights, std::unique_ptr<ThreadPool> pool);

  Logits Forward(std::span<const BatchSegment> batch, const compute::KvPool& kv) override;
  const ModelConfig& config() const override { return config_; }
  ThreadPool& threads() override { return *pool_; }

 private:
  void CollectLogitRows(std::span<const BatchSegment> batch);
  void ComputeLogits();

  const ModelConfig config_;
  const DecoderWeights weights_;
  const std::unique_ptr<ThreadPool> pool_;
  const compute::Rope rope_;
  const DecoderContext context_;
  PrefillPass prefill_;
  DecodePass decode_;

  std::vector<BatchSegment> prefill_segments_, decode_segments_;
  std::vector<const float*> logit_rows_;  // Last hidden states, in the batch's order.
  compute::DecodeInput normalized_;       // [a chunk of rows, hidden_size]
  compute::AlignedBuffer<float> logits_;  // [rows, vocab_size]
};

}  // namespace tandem::model
