#include <cmath>

#include "compute/ops/rope.h"

namespace tandem::compute {

Rope::Rope(int positions, int head_dim, float theta)
    : half_(head_dim / 2),
      cosines_(size_t{1} * positions * half_),
      sines_(size_t{1} * positions * half_) {
  for (int i = 0; i < half_; ++i) {
    // In float32, as the reference implementations do; float64 would drift from them.
    const float frequency = 1.0f / std::pow(theta, static_cast<float>(2 * i) / head_dim);
    for (int position = 0; position < positions; ++position) {
      const float angle = static_cast<float>(position) * frequency;
      cosines_[size_t{1} * position * half_ + i] = std::cos(angle);
      sines_[size_t{1} * position * half_ + i] = std::sin(angle);
    }
  }
}

void Rope::Apply(int position, int heads, float* x) const {
  const float* cosine = cosines_.data() + size_t{1} * position * half_;
  const float* sine = sines_.data() + size_t{1} * position * half_;
  for (int head = 0; head < heads; ++head, x += 2 * half_) {
    for (int i = 0; i < half_; ++i) {
      const float first = x[i], second = x[i + half_];
      x[i] = first * cosine[i] - second * sine[i];
      x[i + half_] = second * cosine[i] + first * sine[i];
    }
  }
}

}  // namespace tandem::compute
