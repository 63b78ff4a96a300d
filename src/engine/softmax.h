#pragma once

#include <span>

namespace tandem::engine {

/// The largest value; not finite if none is, or if any is not a number.
float MaxLogit(std::span<const float> logits);

/// weights[i] = exp((logits[i] - max) * scale), with a relative error below 1e-6; -infinity gives
/// 0. Returns their sum. The order of summation is fixed. `weights` may be empty if only the sum is
/// wanted; `max` is MaxLogit(logits), `scale` is positive.
double SoftmaxWeights(std::span<const float> logits, float max, float scale,
                      std::span<float> weights);

/// Sum of weights, in a fixed order.
double SumWeights(std::span<const float> weights);

}  // namespace tandem::engine
