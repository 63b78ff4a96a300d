#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu_features.h"

namespace tandem::compute {

/// Element type of the operands of prefill's matrix products; sums are float32.
enum class MatrixType { kFloat32, kBFloat16 };

/// bfloat16 where the processor multiplies it in hardware.
constexpr MatrixType MatrixTypeFor(CpuTarget target) {
  return target >= CpuTarget::kAvx512Bf16 ? MatrixType::kBFloat16 : MatrixType::kFloat32;
}

constexpr size_t SizeOf(MatrixType type) { return type == MatrixType::kFloat32 ? 4 : 2; }

/// Rounds `count` floats to the type (to nearest, ties to even) and writes them to `out`.
void StoreMatrixInput(MatrixType type, const float* values, int64_t count, std::byte* out);

}  // namespace tandem::compute
