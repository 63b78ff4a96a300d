#pragma once

#include <cstdint>
#include <vector>

#include "compute/aligned_buffer.h"

namespace tandem::compute {

/// How a checkpoint stretches rotary frequencies to longer contexts, in the terms of config.json's
/// rope_scaling.
struct RopeScaling {
  enum class Kind {
    kNone,
    kLinear,  ///< Every frequency divided by `factor`.
    kLlama3,  ///< Low frequencies divided by `factor`, high ones left, those between blended.
  };
  Kind kind = Kind::kNone;
  float factor = 1.0f;
  /// Of kLlama3: wavelengths above original_positions / low_frequency_factor are low frequencies,
  /// those below original_positions / high_frequency_factor high ones.
  float low_frequency_factor = 1.0f;
  float high_frequency_factor = 4.0f;
  int original_positions = 8192;
  /// If not empty, frequency i is divided by divisors[i] besides (GGUF's rope_freqs).
  std::vector<float> divisors;
};

/// The frequencies of `head_dim` / 2 rotated pairs: theta^(-2i / head_dim), scaled.
std::vector<float> RopeFrequencies(int head_dim, float theta, const RopeScaling& scaling);

/// Rotary position embedding in Hugging Face's order: element i of a head is rotated with element
/// i + head_dim / 2 by the angle position times frequency i.
class Rope {
 public:
  /// For positions [0, positions).
  Rope(int positions, int head_dim, float theta, const RopeScaling& scaling = {});

  /// Rotates `heads` heads in place, x [heads, head_dim].
  void Apply(int position, int heads, float* x) const;

 private:
  const int half_;
  AlignedBuffer<float> cosines_, sines_;  // [positions, head_dim / 2]
};

}  // namespace tandem::compute
