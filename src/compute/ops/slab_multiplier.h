#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "compute/ops/matrix_input.h"
#include "compute/thread_pool.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// What does the work of a PrefillLinear; its terms are explained there.
class SlabMultiplier {
 public:
  virtual ~SlabMultiplier() = default;
  virtual void RunSlab(int slab, const std::byte* x, float* y, int thread) const = 0;
};

/// How the outputs are cut into slabs.
struct SlabLayout {
  explicit SlabLayout(std::span<const WeightMatrix> parts);

  int count() const { return static_cast<int>((outputs + width - 1) / width); }
  int64_t First(int slab) const { return slab * width; }
  int64_t Width(int slab) const { return slab + 1 < count() ? width : outputs - First(slab); }

  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t width = 0;  ///< Of all slabs but the last, a multiple of 32.
};

/// Outputs [first, first + count) of the parts, dequantised: [count, columns] of the matrix type.
void GatherRows(std::span<const WeightMatrix> parts, int64_t first, int64_t count, MatrixType type,
                std::byte* out);

/// bfloat16 through oneDNN. Internal if it refuses.
absl::StatusOr<std::unique_ptr<SlabMultiplier>> MakeOneDnnMultiplier(
    std::span<const WeightMatrix> parts, const SlabLayout& layout, ThreadPool& pool);

/// float32 through own kernels: oneDNN's for AVX2 sum a row's products in an order that depends on
/// the row's place in the tile.
std::unique_ptr<SlabMultiplier> MakeFloatMultiplier(std::span<const WeightMatrix> parts,
                                                    const SlabLayout& layout, ThreadPool& pool);

}  // namespace tandem::compute
