#include "compute/ops/rms_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/rms_norm_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cmath>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

void RmsNormRow(const float* x, const float* weight, int64_t columns, float epsilon, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = hn::Lanes(d);
  auto even = hn::Zero(d), odd = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= columns; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  float squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < columns; ++i) squares += x[i] * x[i];
  const float scale = 1.0f / std::sqrt(squares / static_cast<float>(columns) + epsilon);

  const auto scales = hn::Set(d, scale);
  for (i = 0; i + lanes <= columns; i += lanes) {
    const auto scaled = hn::Mul(hn::LoadU(d, x + i), scales);
    hn::StoreU(hn::Mul(scaled, hn::LoadU(d, weight + i)), d, y + i);
  }
  for (; i < columns; ++i) y[i] = x[i] * scale * weight[i];
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(RmsNormRow);

void RmsNorm(const float* x, const float* weight, int64_t columns, float epsilon, float* y) {
  HWY_DYNAMIC_DISPATCH(RmsNormRow)(x, weight, columns, epsilon, y);
}

}  // namespace tandem::compute
#endif
