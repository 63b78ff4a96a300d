#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/top_tokens.h"

namespace tandem::engine {

/// Chooses tokens. Keeps room for the weights of one row: for one thread at a time.
class Sampler {
 public:
  /// The token that `draw`, from [0, 1), picks out of the logits (float32 [vocab_size], already
  /// processed): temperature, then min_p, top_k, top_p, as vLLM orders them. Greedy picks the
  /// highest logit, of equals the lowest id. Nothing if the logits hold a NaN or are all -infinity.
  std::optional<int32_t> Sample(std::span<const float> logits, const SamplingParams& params,
                                double draw);

 private:
  int32_t DrawFromAll(std::span<const float> logits, float max, float scale, double draw);
  std::vector<ScoredToken> Candidates(std::span<const float> logits, float max, float scale,
                                      const SamplingParams& params);

  std::vector<float> weights_;
};

/// The log-probability of `token` under softmax(logits), its rank, and the `top` most likely
/// tokens. The logits are the model's own, before any processing.
TokenLogprobs ComputeLogprobs(std::span<const float> logits, int32_t token, int top);

}  // namespace tandem::engine
