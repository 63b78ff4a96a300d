#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "compute/cpu_features.h"
#include "compute/ops/prefill_linear.h"

namespace tandem::compute {

/// What multiplies the slabs of a PrefillLinear.
class SlabMultiplier {
 public:
  virtual ~SlabMultiplier() = default;

  /// y [tile.rows, y_stride] of `outputs` outputs, whose panels begin at `panels`. Both y and
  /// y_stride leave room for whole panels and 64 rows. `thread` is the pool's number of the calling
  /// thread.
  virtual void Multiply(const PrefillTile& tile, const std::byte* panels, int64_t outputs, float* y,
                        int64_t y_stride, int thread) const = 0;
};

/// Own kernels of the target, for rows of `inputs` padded inputs.
std::unique_ptr<SlabMultiplier> MakeKernelMultiplier(CpuTarget target, int64_t inputs);

/// bfloat16 through oneDNN, prepared for slabs of `outputs` numbers of outputs and for as many
/// threads. Always 64 rows: a row's bits are the same then. Internal if it refuses.
absl::StatusOr<std::unique_ptr<SlabMultiplier>> MakeOneDnnMultiplier(
    int64_t inputs, std::span<const int64_t> outputs, int threads);

}  // namespace tandem::compute
