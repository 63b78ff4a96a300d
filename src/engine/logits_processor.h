#pragma once

#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/token_counts.h"

namespace tandem::engine {

/// What a request's parameters change in the logits before a token is sampled, in vLLM's order:
/// allowed_token_ids, bad_words, bans for min_tokens, logit_bias, then repetition, frequency and
/// presence penalties.
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
  bool bans_end() const {
    return std::ssize(outputs_) < params_.min_tokens && !end_token_ids_.empty();
  }
  void KeepAllowed(std::span<float> logits) const;
  void BanBadWords(std::span<float> logits) const;
  void BanEnd(std::span<float> logits) const;
  void Penalise(std::span<float> logits) const;

  const SamplingParams& params_;
  const std::vector<int32_t> end_token_ids_;
  const bool penalises_;
  TokenCounts counts_;  // Empty unless there are penalties.
  std::vector<int32_t> outputs_;
};

}  // namespace tandem::engine
