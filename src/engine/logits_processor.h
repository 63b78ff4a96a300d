#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/token_counts.h"

namespace tandem::engine {

/// What a request's parameters change in the logits before a token is sampled, in vLLM's order:
/// bans for min_tokens, logit_bias, then repetition, frequency and presence penalties.
class LogitsProcessor {
 public:
  /// `end_token_ids`: those that would end the output. Keeps a reference to `params`.
  LogitsProcessor(const SamplingParams& params, std::span<const int32_t> prompt,
                  std::vector<int32_t> end_token_ids);

  /// Takes notice of a token of the output.
  void AddOutput(int32_t token);

  /// Whether Apply would change anything for the next token.
  bool active() const;

  /// Changes one row of logits, [vocab_size], for the next token of the output.
  void Apply(std::span<float> logits) const;

 private:
  bool bans_end() const { return outputs_ < params_.min_tokens && !end_token_ids_.empty(); }

  const SamplingParams& params_;
  const std::vector<int32_t> end_token_ids_;
  const bool penalises_;
  TokenCounts counts_;  // Empty unless there are penalties.
  int outputs_ = 0;
};

}  // namespace tandem::engine
