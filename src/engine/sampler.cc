#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/softmax.h"

namespace tandem::engine {
namespace {

// vLLM's least temperature but for 0, which is greedy.
constexpr float kLeastTemperature = 1e-2f;

// The first index at which the running sum of `weights` exceeds `target`; the last one with any
// weight if rounding keeps it from that.
template <typename Weight>
size_t PickIndex(size_t count, double target, Weight weight) {
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < count; ++i) {
    const double w = weight(i);
    if (w > 0) last = i;
    sum += w;
    if (sum > target) return i;
  }
  return last;
}

double TotalWeight(const std::vector<ScoredToken>& candidates) {
  double total = 0;
  for (const auto& [id, weight] : candidates) total += weight;
  return total;
}

// Cuts candidates, in order of rank, down to the shortest head that weighs `least`.
void KeepNucleus(std::vector<ScoredToken>& candidates, double least) {
  double sum = 0;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || sum < least)) sum += candidates[kept++].second;
  candidates.resize(kept);
}

// Candidates of which the heaviest weigh `least` or more, without most of the others: sums by the
// leading bits of the weights, which order as the weights do.
void DropTail(std::vector<ScoredToken>& candidates, double least) {
  constexpr int kShift = 20;  // Leaves the exponent and three bits of the mantissa.
  constexpr uint32_t kBuckets = (std::bit_cast<uint32_t>(1.0f) >> kShift) + 1;  // Weights are <= 1.
  std::array<double, kBuckets> sums = {};
  for (const auto& [id, weight] : candidates) {
    sums[std::bit_cast<uint32_t>(weight) >> kShift] += weight;
  }
  double sum = 0;
  uint32_t bucket = kBuckets;
  while (bucket > 0 && sum < least) sum += sums[--bucket];
  const float bound = std::bit_cast<float>(bucket << kShift);
  std::erase_if(candidates, [&](const ScoredToken& c) { return c.second < bound; });
}

// Roughly the sum of the weights that are `bound` or more, by vectors.
float RoughSumFrom(std::span<const float> weights, float bound) {
  constexpr size_t kLanes = 32;
  float sums[kLanes] = {};
  const size_t whole = weights.size() - weights.size() % kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float weight = weights[i + lane];
      sums[lane] += weight >= bound ? weight : 0.0f;
    }
  }
  for (size_t i = whole; i < weights.size(); ++i) sums[0] += weights[i] >= bound ? weights[i] : 0;
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

// A weight such that the weights from it up sum to `least` or more, if all do. Most of a vocabulary
// has next to no weight, so that few sums lead there.
float NucleusBound(std::span<const float> weights, double least) {
  constexpr float kStep = 1.0f / 64;
  const double enough = least * (1 + 1e-4);  // Rough sums are closer than that.
  float bound = kStep;
  while (bound >= std::numeric_limits<float>::min() && RoughSumFrom(weights, bound) < enough) {
    bound *= kStep;
  }
  return bound >= std::numeric_limits<float>::min() ? bound : 0;
}

// The tokens whose weight is `least` or more, in order of their ids.
std::vector<ScoredToken> TokensFrom(std::span<const float> weights, float least) {
  constexpr size_t kPiece = 64;
  std::vector<ScoredToken> tokens;
  for (size_t begin = 0; begin < weights.size(); begin += kPiece) {
    const auto piece = weights.subspan(begin, std::min(kPiece, weights.size() - begin));
    // Few pieces have any. By vectors of integers, which order as the weights do.
    int32_t largest = 0;
    for (size_t i = 0; piece.size() == kPiece && i < kPiece; ++i) {
      largest = std::max(largest, std::bit_cast<int32_t>(piece[i]));
    }
    if (piece.size() == kPiece && std::bit_cast<float>(largest) < least) continue;
    for (size_t i = 0; i < piece.size(); ++i) {
      if (piece[i] >= least) tokens.emplace_back(begin + i, piece[i]);
    }
  }
  return tokens;
}

}  // namespace

std::optional<int32_t> Sampler::Sample(std::span<const float> logits, const SamplingParams& params,
                                       double draw) {
  const float max = MaxLogit(logits);
  if (!std::isfinite(max)) return std::nullopt;
  if (params.temperature == 0) {
    return static_cast<int32_t>(std::find(logits.begin(), logits.end(), max) - logits.begin());
  }
  const float scale = 1.0f / std::max(params.temperature, kLeastTemperature);
  weights_.resize(logits.size());
  const bool filtered = params.top_k > 0 || params.top_p < 1.0f || params.min_p > 0.0f;
  if (!filtered) return DrawFromAll(logits, max, scale, draw);

  const std::vector<ScoredToken> candidates = Candidates(logits, max, scale, params);
  const size_t picked = PickIndex(candidates.size(), draw * TotalWeight(candidates),
                                  [&](size_t i) { return candidates[i].second; });
  return candidates[picked].first;
}

int32_t Sampler::DrawFromAll(std::span<const float> logits, float max, float scale, double draw) {
  constexpr size_t kPiece = 256;
  const double total = SoftmaxWeights(logits, max, scale, weights_);
  // Finds the piece by the sums of pieces, then the token in it. If rounding leads past the end, it
  // is the last piece that has any weight.
  const std::span<const float> weights = weights_;
  std::span<const float> found;
  double target = draw * total;
  double target_in_found = 0;
  for (size_t begin = 0; begin < weights.size(); begin += kPiece) {
    const auto piece = weights.subspan(begin, std::min(kPiece, weights.size() - begin));
    const double sum = SumWeights(piece);
    if (sum > 0) {
      found = piece;
      target_in_found = target;
    }
    if (target < sum) break;
    target -= sum;
  }
  const size_t picked =
      PickIndex(found.size(), target_in_found, [&](size_t i) { return found[i]; });
  return static_cast<int32_t>(found.data() - weights.data() + picked);
}

// The tokens that pass the filters with their weights, in order of rank. The largest weight is 1,
// so min_p bounds the weights as it stands.
std::vector<ScoredToken> Sampler::Candidates(std::span<const float> logits, float max, float scale,
                                             const SamplingParams& params) {
  std::vector<ScoredToken> candidates;
  if (params.top_k > 0) {
    candidates = TopTokens(logits, params.top_k);
    for (auto& [id, value] : candidates) {
      value = static_cast<float>(std::exp((double{value} - max) * scale));
    }
    std::erase_if(candidates, [&](const ScoredToken& c) { return c.second < params.min_p; });
    if (params.top_p < 1.0f) KeepNucleus(candidates, params.top_p * TotalWeight(candidates));
    return candidates;
  }
  const double total = SoftmaxWeights(logits, max, scale, weights_);
  if (params.min_p > 0) {
    candidates = TokensFrom(weights_, params.min_p);
  } else {
    // A little more than is asked for, as another order of summation may come to a little less.
    const double least = params.top_p * total * (1 + 1e-9);
    candidates = TokensFrom(weights_, NucleusBound(weights_, least));
    DropTail(candidates, least);
  }
  std::sort(candidates.begin(), candidates.end(), RanksBefore);
  if (params.top_p < 1.0f) {
    KeepNucleus(candidates, params.top_p * (params.min_p > 0 ? TotalWeight(candidates) : total));
  }
  return candidates;
}

TokenLogprobs ComputeLogprobs(std::span<const float> logits, int32_t token, int top) {
  const float max = MaxLogit(logits);
  const double log_total = max + std::log(SoftmaxWeights(logits, max, 1.0f, {}));
  TokenLogprobs result;
  result.token = token;
  result.logprob = static_cast<float>(logits[token] - log_total);
  const ScoredToken chosen = {token, logits[token]};
  result.rank = 1;
  for (size_t id = 0; id < logits.size(); ++id) {
    result.rank += RanksBefore({static_cast<int32_t>(id), logits[id]}, chosen) ? 1 : 0;
  }
  for (const auto& [id, logit] : TopTokens(logits, top)) {
    result.top.emplace_back(id, static_cast<float>(logit - log_total));
  }
  return result;
}

}  // namespace tandem::engine
