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

/// Runs what was scheduled through the model and samples, on the model's threads. Engine's thread
/// only.
class ModelRunner {
 public:
  /// Both outlive it.
  ModelRunner(model::Decoder& decoder, const compute::KvPool& kv);

  /// Computes a step. Sequences whose last known token was computed get a new one. The sequences
  /// are not moved on; prompt_logprobs are filled in.
  std::vector<SampledToken> Run(std::span<const ScheduledTokens> step);

 private:
  /// A thread's own room.
  struct Lane {
    Sampler sampler;
    std::vector<float> processed;  // [vocab_size]
  };
  static SampledToken Sample(Sequence& sequence, std::span<const float> logits, Lane& lane);

  model::Decoder& decoder_;
  const compute::KvPool& kv_;
  std::vector<Lane> lanes_;  // One for each of the model's threads.
};

}  // namespace tandem::engine
