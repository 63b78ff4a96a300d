// Compiled for AVX-512 with bfloat16; nothing here may be called before the processor is known to
// have it.
#include <immintrin.h>

#include "compute/ops/matrix_kernel.h"

namespace tandem::compute {
namespace {

constexpr int kPanel = MatrixPanels::Outputs(MatrixType::kBFloat16);
constexpr int kRows = 4;  // With four vectors of outputs: enough sums to hide the latency.
constexpr int kLanes = 16;

/// kRows rows times kVectors vectors of one panel's outputs.
template <int kVectors>
inline void MultiplyRows(const MatrixProduct& p, const uint16_t* x, const uint16_t* w, float* y) {
  __m512 sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] =
          p.accumulate ? _mm512_loadu_ps(y + r * p.y_stride + v * kLanes) : _mm512_setzero_ps();
    }
  }
  for (int64_t k = 0; k < p.inputs; k += 2, w += 2 * kPanel) {
    __m512bh weights[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      weights[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(w + 2 * kLanes * v));
    }
    for (int r = 0; r < kRows; ++r) {
      int32_t pair;
      __builtin_memcpy(&pair, x + r * p.x_stride + k, sizeof(pair));
      const auto pairs = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], weights[v], pairs);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(y + r * p.y_stride + v * kLanes, sums[r][v]);
    }
  }
}

template <int kVectors>
void MultiplyPanel(const MatrixProduct& p, const uint16_t* panel, float* y) {
  const auto* x = reinterpret_cast<const uint16_t*>(p.x);
  for (int row = 0; row < p.rows; row += kRows) {
    MultiplyRows<kVectors>(p, x + row * p.x_stride, panel, y + row * p.y_stride);
  }
}

void Multiply(const MatrixProduct& p) {
  const auto* panel = reinterpret_cast<const uint16_t*>(p.panels);
  float* y = p.y;
  for (int64_t left = p.outputs; left > 0; left -= kPanel) {
    if (left > 3 * kLanes) {
      MultiplyPanel<4>(p, panel, y);
    } else if (left > 2 * kLanes) {
      MultiplyPanel<3>(p, panel, y);
    } else if (left > kLanes) {
      MultiplyPanel<2>(p, panel, y);
    } else {
      MultiplyPanel<1>(p, panel, y);
    }
    panel += kPanel * p.panel_inputs;
    y += kPanel;
  }
}

}  // namespace

MatrixKernel FindAvx512Bf16MatrixKernel() { return Multiply; }

}  // namespace tandem::compute
