#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/ops/matrix_kernel.h"

namespace tandem::compute {

/// The bfloat16 product in tiles of 16 rows of 64 bytes, on a unit that has eight of them:
///   Zero<t>()                  tile t = 0
///   Load<t>(memory, stride)    row i of tile t from memory + i * stride bytes
///   Store<t>(memory, stride)   and back
///   Prefetch(memory)           brings a line of 64 bytes near
///   MultiplyAdd<c, a, b>()     c[m][n] += sum over pairs p of a[m][2p] * b[p][2n] +
///                              a[m][2p + 1] * b[p][2n + 1], c float32, a and b bfloat16
/// The unit is a template's argument, so that the order of all this is tested also where the
/// processor has none.
template <class Unit>
class AmxProduct {
 public:
  static void Run(const MatrixProduct& p) {
    Prefetcher prefetcher(p);
    int row = 0;
    for (; row + 2 * kRows <= p.rows; row += 2 * kRows) RunRows<2>(p, row, prefetcher);
    if (row < p.rows) RunRows<1>(p, row, prefetcher);
  }

 private:
  static constexpr int kRows = 16, kOutputs = 16, kInputs = 32;
  static constexpr int kPanel = MatrixPanels::Outputs(MatrixType::kBFloat16);
  static_assert(kRows == kMatrixRowMultiple && kOutputs == kMatrixOutputMultiple &&
                kInputs == kMatrixInputMultiple);

  /// Goes through what is upcoming in equal parts, one with each step along the inputs.
  class Prefetcher {
   public:
    explicit Prefetcher(const MatrixProduct& p) : next_(p.upcoming.data()) {
      const int64_t steps = (p.rows + 2 * kRows - 1) / (2 * kRows) *
                            ((p.outputs + 2 * kOutputs - 1) / (2 * kOutputs)) *
                            (p.inputs / kInputs);
      const auto lines = static_cast<int64_t>(p.upcoming.size()) / kLine;
      lines_per_step_ = (lines + steps - 1) / steps;
      end_ = next_ + lines * kLine;
    }
    void Step() {
      for (int64_t i = 0; i < lines_per_step_ && next_ < end_; ++i, next_ += kLine) {
        Unit::Prefetch(next_);
      }
    }

   private:
    static constexpr int64_t kLine = 64;
    const std::byte* next_;
    const std::byte* end_;
    int64_t lines_per_step_;
  };

  template <int kRowTiles>
  static void RunRows(const MatrixProduct& p, int row, Prefetcher& prefetcher) {
    int64_t output = 0;
    // Two tiles of outputs never belong to two panels.
    for (; output + 2 * kOutputs <= p.outputs; output += 2 * kOutputs) {
      RunBlock<kRowTiles, 2>(p, row, output, prefetcher);
    }
    if (output < p.outputs) RunBlock<kRowTiles, 1>(p, row, output, prefetcher);
  }

  /// Tiles 0 to 3 are y, [row tile][output tile]; 4 and 5 are x, 6 and 7 the weights.
  template <int kRowTiles, int kOutputTiles>
  static void RunBlock(const MatrixProduct& p, int row, int64_t output, Prefetcher& prefetcher) {
    constexpr bool kTwoRows = kRowTiles == 2, kTwoOutputs = kOutputTiles == 2;
    const size_t x_stride = p.x_stride * 2, y_stride = p.y_stride * 4;
    constexpr size_t kPanelStride = MatrixPanels::Stride(MatrixType::kBFloat16);
    const std::byte* x = p.x + row * x_stride;
    const std::byte* w =
        p.panels + MatrixPanels::Offset(MatrixType::kBFloat16, p.panel_inputs, output);
    float* y = p.y + row * p.y_stride + output;
    float* lower_y = y + kRows * p.y_stride;
    if (p.accumulate) {
      Unit::template Load<0>(y, y_stride);
      if constexpr (kTwoOutputs) Unit::template Load<1>(y + kOutputs, y_stride);
      if constexpr (kTwoRows) Unit::template Load<2>(lower_y, y_stride);
      if constexpr (kTwoRows && kTwoOutputs) Unit::template Load<3>(lower_y + kOutputs, y_stride);
    } else {
      Unit::template Zero<0>();
      if constexpr (kTwoOutputs) Unit::template Zero<1>();
      if constexpr (kTwoRows) Unit::template Zero<2>();
      if constexpr (kTwoRows && kTwoOutputs) Unit::template Zero<3>();
    }
    for (int64_t k = 0; k < p.inputs; k += kInputs) {
      Unit::template Load<4>(x, x_stride);
      Unit::template Load<6>(w, kPanelStride);
      Unit::template MultiplyAdd<0, 4, 6>();
      if constexpr (kTwoOutputs) {
        Unit::template Load<7>(w + kOutputs * 4, kPanelStride);
        Unit::template MultiplyAdd<1, 4, 7>();
      }
      if constexpr (kTwoRows) {
        Unit::template Load<5>(x + kRows * x_stride, x_stride);
        Unit::template MultiplyAdd<2, 5, 6>();
        if constexpr (kTwoOutputs) Unit::template MultiplyAdd<3, 5, 7>();
      }
      prefetcher.Step();
      x += kInputs * 2;
      w += kInputs / 2 * kPanelStride;
    }
    Unit::template Store<0>(y, y_stride);
    if constexpr (kTwoOutputs) Unit::template Store<1>(y + kOutputs, y_stride);
    if constexpr (kTwoRows) Unit::template Store<2>(lower_y, y_stride);
    if constexpr (kTwoRows && kTwoOutputs) Unit::template Store<3>(lower_y + kOutputs, y_stride);
  }
};

}  // namespace tandem::compute
