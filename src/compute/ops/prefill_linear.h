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

/// y = x Wᵀ for tokens of prompts: tiles of 64 rows times slabs of some hundred outputs, each one
/// call of the matrix library on one thread and of a fixed shape. So a row's result depends on
/// neither the other rows of the tile, nor its place in it, nor the number of threads. Holds the
/// weights dequantised and laid out for the matrix units.
class PrefillLinear {
 public:
  static constexpr int kTileRows = 64;

  /// W is the parts one below the other; they have the same number of columns and are only read
  /// here. `threads` may run tiles at once. Internal if the matrix library refuses.
  static absl::StatusOr<PrefillLinear> Create(std::span<const WeightMatrix> parts, MatrixType type,
                                              ThreadPool& pool);
  ~PrefillLinear();
  PrefillLinear(PrefillLinear&&) noexcept;
  PrefillLinear& operator=(PrefillLinear&&) noexcept;

  int64_t inputs() const;
  int64_t outputs() const;
  int slabs() const;
  MatrixType input_type() const;

  /// Computes one slab of a tile: x [kTileRows, inputs] of the matrix type, y [kTileRows, outputs],
  /// of which the slab's columns are written. `thread` is the pool's number of the calling thread.
  void RunSlab(int slab, const std::byte* x, float* y, int thread) const;

 private:
  struct Impl;
  explicit PrefillLinear(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::compute
