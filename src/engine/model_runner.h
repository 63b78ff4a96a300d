#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "compute/kv_pool.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "model/decoder.h"

namespace tandem::engine {

/// The token sampled for a sequence; none, and an error, if its logits were not numbers or its own
/// parameters left no token.
struct SampledToken {
  Sequence* sequence = nullptr;
  std::optional<int32_t> token;
  absl::Status error;
  std::optional<TokenLogprobs> logprobs;
};

/// Runs what was scheduled through the model and samples. Engine's thread only.
class ModelRunner {
 public:
  /// Both outlive it.
  ModelRunner(model::Decoder& decoder, const compute::KvPool& kv) : decoder_(decoder), kv_(kv) {}

  /// Computes a step. Sequences whose last known token was computed get a new one. The sequences
  /// are not moved on; prompt_logprobs are filled in.
  std::vector<SampledToken> Run(std::span<const ScheduledTokens> step);

 private:
  SampledToken Sample(Sequence& sequence, std::span<const float> logits);

  model::Decoder& decoder_;
  const compute::KvPool& kv_;
  Sampler sampler_;
  std::vector<float> processed_;
};

}  // namespace tandem::engine
