#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "compute/weight_matrix.h"

namespace tandem::compute {

/// A super-block of 256 elements of GGML's Q4_K, Q5_K or Q6_K, taken apart. Element i is
///   Q4_K, Q5_K  scale * sub_scales[i / 32] * quants[i] - minimum * sub_minima[i / 32]
///   Q6_K        scale * sub_scales[i / 16] * (quants[i] - 32)
struct KQuantBlock {
  static constexpr int kElements = 256;
  static constexpr int kQ6Offset = 32;

  KQuantBlock(WeightFormat format, const std::byte* bytes);

  /// Bytes of a super-block: 144, 176 or 210.
  static size_t Bytes(WeightFormat format);

  void Dequantize(float* out) const;

  WeightFormat format;
  uint16_t scale = 0;    ///< float16
  uint16_t minimum = 0;  ///< float16; not of Q6_K.
  std::array<int8_t, 16> sub_scales{};
  std::array<uint8_t, 8> sub_minima{};
  std::array<uint8_t, kElements> quants;
};

}  // namespace tandem::compute
