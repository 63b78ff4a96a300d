#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "compute/aligned_buffer.h"
#include "compute/cpu_features.h"
#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"
#include "compute/ops/quantize_activations.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// The rows that a DecodeLinear multiplies, in the form its kernels read. Room to be used again by
/// one layer after the other.
class DecodeInput {
 public:
  int64_t rows() const { return rows_; }
  /// A row's `columns` elements.
  float* Row(int64_t row) { return values_.data() + row * columns_; }
  const float* Row(int64_t row) const { return values_.data() + row * columns_; }

 private:
  friend class DecodeLinear;

  int64_t rows_ = 0, columns_ = 0;
  AlignedBuffer<float> values_;                  // [rows, columns]
  std::vector<QuantizedActivations> quantized_;  // In each order that the layer reads inputs in.
};

/// y = x Wᵀ for generated tokens, on the weights in the checkpoint's own precision. Quantised
/// weights are multiplied with activations quantised to int8 in blocks of 32, the others with
/// float32. A row's result depends on neither the other rows nor the number of threads.
class DecodeLinear {
 public:
  /// What becomes of the results: y = x Wᵀ, or y += x Wᵀ.
  enum class Output { kWrite, kAdd };

  /// W is the parts, of any formats, one below the other; they have the same number of columns, a
  /// multiple of 32 if one is quantised. They are only read here.
  DecodeLinear(std::span<const WeightMatrix> parts, CpuTarget target, ThreadPool& pool);

  int64_t inputs() const { return parts_[0].weights.columns(); }
  int64_t outputs() const { return outputs_; }
  /// The parts' weights, which stay where they are when the layer is moved.
  std::vector<const PackedWeights*> weights() const;

  /// Makes room in x for as many rows; what was in it is lost.
  void ResizeInput(int64_t rows, DecodeInput& x) const;

  /// Makes a row of x, whose elements have been written, ready for Run. Threads may share out the
  /// rows.
  void PrepareRow(int64_t row, DecodeInput& x) const;

  /// x [rows, inputs], with every row ready, to y [rows, outputs].
  void Run(const DecodeInput& x, float* y, Output output, ThreadPool& pool) const;

 private:
  struct Part {
    PackedWeights weights;
    int64_t first_output = 0;
    int64_t first_tile = 0;
    int64_t order = 0;  // Its weights' column_order in orders_, if they are quantised.
    QuantizedTileKernel quantized_kernel = nullptr;
    FloatTileKernel float_kernel = nullptr;
  };

  const Part& PartOf(int64_t tile) const;
  void RunTile(int64_t tile, const DecodeInput& x, float* y, Output output) const;

  std::vector<Part> parts_;
  int64_t outputs_ = 0;
  int64_t tiles_ = 0;
  std::vector<std::vector<int32_t>> orders_;  // Of the inputs, each that a quantised part has.
};

}  // namespace tandem::compute
