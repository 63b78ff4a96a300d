#pragma once

#include <cstdint>

namespace tandem::compute {

/// y[i] = gate[i] / (1 + exp(-gate[i])) * up[i]. y may be gate or up.
void SiluMul(const float* gate, const float* up, int64_t count, float* y);

}  // namespace tandem::compute
