#pragma once

#include <cstdint>

namespace tandem::compute {

/// y[i] = x[i] / sqrt(mean of x² + epsilon) * weight[i] for one row. y may be x.
void RmsNorm(const float* x, const float* weight, int64_t columns, float epsilon, float* y);

}  // namespace tandem::compute
