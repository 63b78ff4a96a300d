#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu_features.h"
#include "compute/ops/quantize_activations.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// y[r * y_stride + o] = sum over k of x[r][k] * w[o][k], for rows [first_row, first_row + rows) of
/// `x` and the 16 outputs o of one tile of PackedWeights; `y` is that of first_row. Sums run along
/// k in an order that does not depend on `rows`.
using QuantizedTileKernel = void (*)(const std::byte* tile, const QuantizedActivations& x,
                                     int64_t first_row, int64_t rows, float* y, int64_t y_stride);

/// The same for the float formats; `x` is [rows, columns] from the first row on.
using FloatTileKernel = void (*)(const std::byte* tile, const float* x, int64_t columns,
                                 int64_t rows, float* y, int64_t y_stride);

/// The kernel of a quantised format for a processor. Never null.
QuantizedTileKernel FindQuantizedKernel(WeightFormat format, CpuTarget target);

/// The kernel of a float format for the processor, after the library's own cap. Never null.
FloatTileKernel FindFloatKernel(WeightFormat format);

QuantizedTileKernel FindPortableKernel(WeightFormat format);
QuantizedTileKernel FindAvx2Kernel(WeightFormat format);
QuantizedTileKernel FindAvx512VnniKernel(WeightFormat format);

/// Fetches the kBytes of weights that a kernel will read a while after those at `weights`; it reads
/// on past its tile, which the next one follows. Hardware prefetchers begin anew with every page,
/// and wait for memory there. (Of 4, 8 and 16 KiB ahead the second was fastest on a Xeon.)
template <size_t kBytes>
[[gnu::always_inline]] inline void FetchWeightsAfter(const std::byte* weights) {
  constexpr size_t kLine = 64, kAhead = 8 << 10;
  for (size_t i = 0; i < kBytes; i += kLine) __builtin_prefetch(weights + kAhead + i);
}

/// Whether scales belong to groups of several blocks; those kernels stand apart.
constexpr bool IsGrouped(WeightFormat format) { return format >= WeightFormat::kGptqInt4; }
QuantizedTileKernel FindGroupedPortableKernel(WeightFormat format);
QuantizedTileKernel FindGroupedAvx2Kernel(WeightFormat format);
QuantizedTileKernel FindGroupedAvx512VnniKernel(WeightFormat format);

}  // namespace tandem::compute
