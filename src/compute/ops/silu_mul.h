#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/ops/matrix_input.h"

namespace tandem::compute {

/// y[i] = gate[i] / (1 + exp(-gate[i])) * up[i]. y may be gate or up.
void SiluMul(const float* gate, const float* up, int64_t count, float* y);

/// The same, rounded to the matrix type; `count` is a multiple of 16. bfloat16 may be off by one in
/// its last place.
void SiluMulInput(MatrixType type, const float* gate, const float* up, int64_t count,
                  std::byte* out);

/// Where the processor multiplies bfloat16.
void SiluMulBf16(const float* gate, const float* up, int64_t count, std::byte* out);

}  // namespace tandem::compute
