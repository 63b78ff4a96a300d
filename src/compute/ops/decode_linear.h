#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/cpu_features.h"
#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"
#include "compute/ops/quantize_activations.h"
#include "compute/thread_pool.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// y = x Wᵀ for generated tokens, on the weights in the checkpoint's own precision. Quantised
/// weights are multiplied with activations quantised to int8 in blocks of 32, the others with
/// float32. A row's result depends on neither the other rows nor the number of threads.
class DecodeLinear {
 public:
  /// W is the parts, of any formats, one below the other; they have the same number of columns, a
  /// multiple of 32 if one is quantised. They are only read here.
  DecodeLinear(std::span<const WeightMatrix> parts, CpuTarget target, ThreadPool& pool);

  int64_t inputs() const { return parts_[0].weights.columns(); }
  int64_t outputs() const { return outputs_; }

  /// x [rows, inputs] to y [rows, outputs]. `quantized` is scratch memory.
  void Run(const float* x, int64_t rows, float* y, QuantizedActivations& quantized,
           ThreadPool& pool) const;

 private:
  struct Part {
    PackedWeights weights;
    int64_t first_output = 0;
    int64_t first_tile = 0;
    QuantizedTileKernel quantized_kernel = nullptr;
    FloatTileKernel float_kernel = nullptr;
  };

  const Part& PartOf(int64_t tile) const;
  void RunTile(int64_t tile, const float* x, const QuantizedActivations& quantized, int64_t rows,
               float* y) const;

  std::vector<Part> parts_;
  int64_t outputs_ = 0;
  int64_t tiles_ = 0;
  bool quantized_ = false;  // Whether any part is.
};

}  // namespace tandem::compute
