#include "engine/logits_processor.h"

#include <limits>
#include <utility>

namespace tandem::engine {
namespace {

bool HasPenalties(const SamplingParams& params) {
  return params.repetition_penalty != 1.0f || params.frequency_penalty != 0.0f ||
         params.presence_penalty != 0.0f;
}

}  // namespace

LogitsProcessor::LogitsProcessor(const SamplingParams& params, std::span<const int32_t> prompt,
                                 std::vector<int32_t> end_token_ids)
    : params_(params),
      end_token_ids_(std::move(end_token_ids)),
      penalises_(HasPenalties(params)),
      counts_(penalises_ ? prompt : std::span<const int32_t>()) {}

void LogitsProcessor::AddOutput(int32_t token) {
  ++outputs_;
  if (penalises_) counts_.AddOutput(token);
}

bool LogitsProcessor::active() const {
  return penalises_ || !params_.logit_bias.empty() || bans_end();
}

void LogitsProcessor::Apply(std::span<float> logits) const {
  if (bans_end()) {
    for (const int32_t token : end_token_ids_) {
      if (token >= 0 && static_cast<size_t>(token) < logits.size()) {
        logits[token] = -std::numeric_limits<float>::infinity();
      }
    }
  }
  for (const auto& [token, bias] : params_.logit_bias) logits[token] += bias;
  if (!penalises_) return;
  for (const auto& [token, count] : counts_.counts()) {
    float& logit = logits[token];
    logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
    if (count.in_output == 0) continue;
    logit -= params_.frequency_penalty * static_cast<float>(count.in_output);
    logit -= params_.presence_penalty;
  }
}

}  // namespace tandem::engine
