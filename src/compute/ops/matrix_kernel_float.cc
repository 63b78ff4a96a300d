#include "compute/ops/matrix_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/matrix_kernel_float.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <algorithm>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

constexpr int kPanel = MatrixPanels::Outputs(MatrixType::kFloat32);

using D = hn::CappedTag<float, kPanel>;
constexpr int kLanes = hn::MaxLanes(D());

/// kRows rows of x times as many panels as kVectors vectors of outputs take.
template <int kVectors, int kRows>
HWY_INLINE void MultiplyRows(const MatrixProduct& p, const float* x, const float* w, float* y) {
  const D d;
  constexpr int kVectorsInPanel = kPanel / kLanes;
  hn::Vec<D> sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = p.accumulate ? hn::LoadU(d, y + r * p.y_stride + v * kLanes) : hn::Zero(d);
    }
  }
  for (int64_t k = 0; k < p.inputs; ++k, w += kPanel) {
    hn::Vec<D> weights[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const float* panel = w + v / kVectorsInPanel * kPanel * p.panel_inputs;
      weights[v] = hn::Load(d, panel + v % kVectorsInPanel * kLanes);
    }
    for (int r = 0; r < kRows; ++r) {
      const auto value = hn::Set(d, x[r * p.x_stride + k]);
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = hn::MulAdd(weights[v], value, sums[r][v]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[r][v], d, y + r * p.y_stride + v * kLanes);
    }
  }
}

/// All rows of x times as many panels.
template <int kVectors, int kRows>
void MultiplyPanels(const MatrixProduct& p, const float* w, float* y) {
  const auto* x = reinterpret_cast<const float*>(p.x);
  int row = 0;
  for (; row + kRows <= p.rows; row += kRows) {
    MultiplyRows<kVectors, kRows>(p, x + row * p.x_stride, w, y + row * p.y_stride);
  }
  // What is left of a multiple of 16.
  for (; row < p.rows; row += 2) {
    MultiplyRows<kVectors, 2>(p, x + row * p.x_stride, w, y + row * p.y_stride);
  }
}

void MultiplyFloats(const MatrixProduct& p) {
  const auto* panels = reinterpret_cast<const float*>(p.panels);
  for (int64_t output = 0; output < p.outputs; output += kPanel) {
    const float* w = panels + output * p.panel_inputs;
    // As many rows, and panels, as the registers take.
#if HWY_TARGET <= HWY_AVX3
    if (output + 2 * kPanel <= p.outputs) {
      MultiplyPanels<2, 8>(p, w, p.y + output);
      output += kPanel;
    } else {
      MultiplyPanels<1, 16>(p, w, p.y + output);
    }
#elif HWY_TARGET <= HWY_AVX2
    MultiplyPanels<2, 6>(p, w, p.y + output);
#else
    MultiplyPanels<kPanel / kLanes, 2>(p, w, p.y + output);
#endif
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(MultiplyFloats);

MatrixKernel FindFloatMatrixKernel() {
  return [](const MatrixProduct& product) { HWY_DYNAMIC_DISPATCH(MultiplyFloats)(product); };
}

}  // namespace tandem::compute
#endif
