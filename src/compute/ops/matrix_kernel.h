#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compute/cpu_features.h"
#include "compute/ops/matrix_input.h"

namespace tandem::compute {

/// Rows, inputs and outputs of a matrix product come in multiples of these; what is missing is
/// padded: inputs with zeros, the others with anything.
constexpr int kMatrixRowMultiple = 16;
constexpr int kMatrixInputMultiple = 32;
constexpr int kMatrixOutputMultiple = 16;

constexpr int64_t PaddedInputs(int64_t inputs) {
  return (inputs + kMatrixInputMultiple - 1) / kMatrixInputMultiple * kMatrixInputMultiple;
}

/// The right operand of prefill's matrix products, W of [outputs, inputs] laid out in panels, as
/// the kernels read it:
///   bfloat16  [outputs / 64][inputs / 2][64][2]
///   float32   [outputs / 16][inputs][16]
/// Outputs are padded to whole panels.
struct MatrixPanels {
  static constexpr int Outputs(MatrixType type) { return type == MatrixType::kBFloat16 ? 64 : 16; }

  /// Bytes of a matrix with `inputs` inputs, padded.
  static constexpr size_t Bytes(MatrixType type, int64_t inputs, int64_t outputs) {
    const int64_t panel = Outputs(type);
    return (outputs + panel - 1) / panel * panel * inputs * SizeOf(type);
  }

  /// Where outputs [first, first + 16) begin; one input's, or pair of inputs', follow the other
  /// every Stride bytes. `first` is a multiple of 16.
  static constexpr size_t Offset(MatrixType type, int64_t inputs, int64_t first) {
    const int64_t panel = Outputs(type);
    const size_t in_panel = first % panel * 4;
    return first / panel * panel * inputs * SizeOf(type) + in_panel;
  }
  static constexpr size_t Stride(MatrixType type) { return size_t{4} * Outputs(type); }
};

/// y = x Wᵀ, or y += x Wᵀ, on one thread; sums are float32, along the inputs in an order that
/// depends on nothing else. So a row's result does not depend on its place or on the other rows.
struct MatrixProduct {
  const std::byte* x = nullptr;  ///< [rows, x_stride] of the matrix type
  int64_t x_stride = 0;          ///< Elements from one row to the next.
  int rows = 0;                  ///< A multiple of kMatrixRowMultiple.
  const std::byte* panels = nullptr;
  int64_t inputs = 0;        ///< A multiple of kMatrixInputMultiple, at most x_stride.
  int64_t panel_inputs = 0;  ///< Inputs that the panels were laid out for, at least `inputs`.
  int64_t outputs = 0;       ///< A multiple of kMatrixOutputMultiple.
  float* y = nullptr;        ///< [rows, y_stride]
  int64_t y_stride = 0;
  bool accumulate = false;  ///< Adds to y.
  /// What the next product reads, which the kernel may bring near meanwhile; may be empty.
  std::span<const std::byte> upcoming;
};

using MatrixKernel = void (*)(const MatrixProduct& product);

/// The kernel for MatrixTypeFor(target). Never null.
MatrixKernel FindMatrixKernel(CpuTarget target);

MatrixKernel FindFloatMatrixKernel();
MatrixKernel FindAvx512Bf16MatrixKernel();
/// Null if the operating system does not let the process use AMX, or a product gives wrong numbers.
MatrixKernel FindAmxMatrixKernel();

}  // namespace tandem::compute
