#include "compute/ops/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/rope_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cmath>
#include <numbers>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

void RotateHeads(const float* cosine, const float* sine, int half, int heads, float* x) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int head = 0; head < heads; ++head, x += 2 * half) {
    int i = 0;
    for (; i + lanes <= half; i += lanes) {
      const auto first = hn::LoadU(d, x + i), second = hn::LoadU(d, x + i + half);
      const auto c = hn::LoadU(d, cosine + i), s = hn::LoadU(d, sine + i);
      hn::StoreU(hn::Sub(hn::Mul(first, c), hn::Mul(second, s)), d, x + i);
      hn::StoreU(hn::Add(hn::Mul(second, c), hn::Mul(first, s)), d, x + i + half);
    }
    for (; i < half; ++i) {
      const float first = x[i], second = x[i + half];
      x[i] = first * cosine[i] - second * sine[i];
      x[i + half] = second * cosine[i] + first * sine[i];
    }
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(RotateHeads);

namespace {

// As transformers computes it.
float ScaleLlama3(float frequency, const RopeScaling& scaling) {
  const float context = static_cast<float>(scaling.original_positions);
  const float wavelength = 2.0f * std::numbers::pi_v<float> / frequency;
  if (wavelength < context / scaling.high_frequency_factor) return frequency;
  if (wavelength > context / scaling.low_frequency_factor) return frequency / scaling.factor;
  const float smooth = (context / wavelength - scaling.low_frequency_factor) /
                       (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1.0f - smooth) * frequency / scaling.factor + smooth * frequency;
}

}  // namespace

std::vector<float> RopeFrequencies(int head_dim, float theta, const RopeScaling& scaling) {
  std::vector<float> frequencies(head_dim / 2);
  for (int i = 0; i < head_dim / 2; ++i) {
    // In float32, as the reference implementations do; float64 would drift from them.
    float frequency = 1.0f / std::pow(theta, static_cast<float>(2 * i) / head_dim);
    if (scaling.kind == RopeScaling::Kind::kLinear) frequency /= scaling.factor;
    if (scaling.kind == RopeScaling::Kind::kLlama3) frequency = ScaleLlama3(frequency, scaling);
    if (!scaling.divisors.empty()) frequency /= scaling.divisors[i];
    frequencies[i] = frequency;
  }
  return frequencies;
}

Rope::Rope(int positions, int head_dim, float theta, const RopeScaling& scaling)
    : half_(head_dim / 2),
      cosines_(size_t{1} * positions * half_),
      sines_(size_t{1} * positions * half_) {
  const std::vector<float> frequencies = RopeFrequencies(head_dim, theta, scaling);
  for (int i = 0; i < half_; ++i) {
    for (int position = 0; position < positions; ++position) {
      const float angle = static_cast<float>(position) * frequencies[i];
      cosines_[size_t{1} * position * half_ + i] = std::cos(angle);
      sines_[size_t{1} * position * half_ + i] = std::sin(angle);
    }
  }
}

void Rope::Apply(int position, int heads, float* x) const {
  const size_t row = size_t{1} * position * half_;
  HWY_DYNAMIC_DISPATCH(RotateHeads)(cosines_.data() + row, sines_.data() + row, half_, heads, x);
}

}  // namespace tandem::compute
#endif
