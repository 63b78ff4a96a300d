#pragma once

#include <cstdint>

#include "compute/aligned_buffer.h"

namespace tandem::compute {

/// Rotary position embedding in Hugging Face's order: element i of a head is rotated with element
/// i + head_dim / 2 by the angle position * theta^(-2i / head_dim).
class Rope {
 public:
  /// For positions [0, positions).
  Rope(int positions, int head_dim, float theta);

  /// Rotates `heads` heads in place, x [heads, head_dim].
  void Apply(int position, int heads, float* x) const;

 private:
  const int half_;
  AlignedBuffer<float> cosines_, sines_;  // [positions, head_dim / 2]
};

}  // namespace tandem::compute
