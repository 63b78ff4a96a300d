#include "engine/logits_processor.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tandem::engine {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

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
  outputs_.push_back(token);
  if (penalises_) counts_.AddOutput(token);
}

bool LogitsProcessor::active() const {
  return penalises_ || !params_.logit_bias.empty() || !params_.allowed_token_ids.empty() ||
         !params_.bad_words.empty() || bans_end();
}

void LogitsProcessor::Apply(std::span<float> logits) const {
  if (!params_.allowed_token_ids.empty()) KeepAllowed(logits);
  BanBadWords(logits);
  if (bans_end()) BanEnd(logits);
  for (const auto& [token, bias] : params_.logit_bias) logits[token] += bias;
  if (penalises_) Penalise(logits);
}

void LogitsProcessor::KeepAllowed(std::span<float> logits) const {
  const std::vector<int32_t>& allowed = params_.allowed_token_ids;
  std::vector<float> kept;
  kept.reserve(allowed.size());
  for (const int32_t token : allowed) kept.push_back(logits[token]);
  std::fill(logits.begin(), logits.end(), kBanned);
  for (size_t i = 0; i < allowed.size(); ++i) logits[allowed[i]] = kept[i];
}

// A sequence's last token is banned where the output ends with the others.
void LogitsProcessor::BanBadWords(std::span<float> logits) const {
  for (const std::vector<int32_t>& word : params_.bad_words) {
    const std::span<const int32_t> begun = std::span(word).first(word.size() - 1);
    if (begun.size() > outputs_.size()) continue;
    if (std::equal(begun.rbegin(), begun.rend(), outputs_.rbegin())) logits[word.back()] = kBanned;
  }
}

void LogitsProcessor::BanEnd(std::span<float> logits) const {
  for (const int32_t token : end_token_ids_) {
    if (token >= 0 && static_cast<size_t>(token) < logits.size()) logits[token] = kBanned;
  }
}

void LogitsProcessor::Penalise(std::span<float> logits) const {
  for (const auto& [token, count] : counts_.counts()) {
    float& logit = logits[token];
    logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
    if (count.in_output == 0) continue;
    logit -= params_.frequency_penalty * static_cast<float>(count.in_output);
    logit -= params_.presence_penalty;
  }
}

}  // namespace tandem::engine
