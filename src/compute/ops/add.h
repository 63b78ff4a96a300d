#pragma once

#include <cstdint>

namespace tandem::compute {

/// y[i] += x[i].
void AddTo(const float* x, int64_t count, float* y);

}  // namespace tandem::compute
