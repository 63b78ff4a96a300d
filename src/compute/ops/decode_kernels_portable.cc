#include <cstring>

#include "compute/float_conversion.h"
#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {
namespace {

constexpr int kOutputs = PackedWeights::kTileOutputs;

void LoadHalves(const std::byte* halves, float* out) {
  for (int o = 0; o < kOutputs; ++o) {
    uint16_t half;
    std::memcpy(&half, halves + o * 2, sizeof(half));
    out[o] = Float16ToFloat(half);
  }
}

/// Adds the products of 4 inputs, high and low quants 32 apart, to 16 sums.
void AddProducts(const uint8_t* weights, int shift, int mask, const int8_t* x, int32_t* sums) {
  for (int j = 0; j < 4; ++j) {
    const int quant = x[j] * 256 + x[j + kQuantBlock];
    for (int o = 0; o < kOutputs; ++o) sums[o] += ((weights[o * 4 + j] >> shift) & mask) * quant;
  }
}

template <WeightFormat kFormat>
void RunTile(const std::byte* tile, const QuantizedActivations& x, int64_t first_row, int64_t rows,
             float* y, int64_t y_stride) {
  constexpr bool kHasMinimum = kFormat == WeightFormat::kQ4_1;
  constexpr bool kHasBytes = kFormat == WeightFormat::kQ8_0;
  constexpr int kOffset = kHasMinimum ? 0 : kHasBytes ? 128 : 8;
  const int64_t blocks = x.blocks();
  const std::byte* minima = tile + blocks * kOutputs * 2;
  const auto* quants =
      reinterpret_cast<const uint8_t*>(minima) + (kHasMinimum ? blocks * kOutputs * 2 : 0);
  for (int64_t r = 0; r < rows; ++r) {
    float result[kOutputs] = {};
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t x_block = (first_row + r) * blocks + b;
      const int8_t* x_quants = x.Block(x_block);
      int32_t sums[kOutputs];
      for (int32_t& sum : sums) sum = -kOffset * x.sums[x_block];
      if constexpr (kHasBytes) {
        for (int chunk = 0; chunk < 8; ++chunk) {
          AddProducts(quants + (b * 8 + chunk) * 64, 0, 255, x_quants + chunk * 4, sums);
        }
      } else {
        for (int chunk = 0; chunk < 4; ++chunk) {
          const uint8_t* nibbles = quants + (b * 4 + chunk) * 64;
          AddProducts(nibbles, 0, 15, x_quants + chunk * 8, sums);
          AddProducts(nibbles, 4, 15, x_quants + chunk * 8 + 4, sums);
        }
      }
      float scales[kOutputs], minimum[kOutputs];
      LoadHalves(tile + b * kOutputs * 2, scales);
      if constexpr (kHasMinimum) LoadHalves(minima + b * kOutputs * 2, minimum);
      for (int o = 0; o < kOutputs; ++o) {
        result[o] += static_cast<float>(sums[o]) * scales[o] * x.scales[x_block];
        if constexpr (kHasMinimum) result[o] += minimum[o] * x.scaled_sums[x_block];
      }
    }
    std::memcpy(y + r * y_stride, result, sizeof(result));
  }
}

}  // namespace

QuantizedTileKernel FindPortableKernel(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_0:
      return RunTile<WeightFormat::kQ4_0>;
    case WeightFormat::kQ4_1:
      return RunTile<WeightFormat::kQ4_1>;
    default:
      return RunTile<WeightFormat::kQ8_0>;
  }
}

}  // namespace tandem::compute
