#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"

namespace tandem::engine {

/// Which tokens end any output of a model.
struct EndTokens {
  std::vector<int32_t> ids;  ///< Ignored by requests with ignore_eos.
  int32_t primary = -1;      ///< The tokenizer's own; it gives no stop_reason, as in vLLM.
  int max_model_len = 0;     ///< Most tokens of prompt and output together.
};

/// Whether a token ends an output, by itself or by the length it brings.
class StopChecker {
 public:
  enum class Verdict { kContinue, kStopToken, kLength };

  /// Keeps references to both.
  StopChecker(const SamplingParams& params, const EndTokens& end) : params_(params), end_(end) {}

  /// Of `token`, the output's `generated`-th (counted from 1) after `prompt_tokens`.
  Verdict Check(int32_t token, int generated, int prompt_tokens) const;

  /// vLLM's stop_reason of a stop token: its id, or nothing for the end of sequence.
  std::string StopReason(int32_t token) const;

  /// Every token that min_tokens bans: those that end the output and, as in vLLM, the ends of
  /// sequence also where they are ignored.
  std::vector<int32_t> EndTokenIds() const;

 private:
  const SamplingParams& params_;
  const EndTokens& end_;
};

}  // namespace tandem::engine
