#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/ops/matrix_kernel.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {

/// Dequantises one tile of 16 outputs, rounds it to the matrix type and writes it into panels of
/// PaddedInputs(weights.columns()) inputs, whose padding is set to zero. `out` is where the tile's
/// outputs begin there (MatrixPanels::Offset). The values are those of DequantizeOutput.
void UnpackTile(const PackedWeights& weights, int64_t tile, MatrixType type, std::byte* out);

}  // namespace tandem::compute
