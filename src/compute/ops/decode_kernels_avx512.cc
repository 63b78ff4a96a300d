#include <immintrin.h>

#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {
namespace {

constexpr int kOutputs = PackedWeights::kTileOutputs;
constexpr int kMaxRows = 8;  // Of activations that share one unpacking of the weights.

template <WeightFormat kFormat>
struct Tile {
  static constexpr bool kHasMinimum = kFormat == WeightFormat::kQ4_1;
  static constexpr bool kHasBytes = kFormat == WeightFormat::kQ8_0;
  static constexpr int kOffset = kHasMinimum ? 0 : kHasBytes ? 128 : 8;
  static constexpr int kBlockQuantBytes = kOutputs * (kHasBytes ? 32 : 16);

  Tile(const std::byte* tile, int64_t blocks)
      : scales(tile),
        minima(tile + blocks * kOutputs * 2),
        quants(minima + (kHasMinimum ? blocks * kOutputs * 2 : 0)) {}

  /// A block's quants as 8 vectors of 4 inputs for each of 16 outputs, unsigned.
  void Unpack(int64_t block, __m512i* weights) const {
    const std::byte* bytes = quants + block * kBlockQuantBytes;
    if constexpr (kHasBytes) {
      for (int i = 0; i < 8; ++i) weights[i] = _mm512_loadu_si512(bytes + i * 64);
    } else {
      const __m512i mask = _mm512_set1_epi8(15);
      for (int i = 0; i < 4; ++i) {
        const __m512i both = _mm512_loadu_si512(bytes + i * 64);
        weights[2 * i] = _mm512_and_si512(both, mask);
        weights[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
      }
    }
  }

  static __m512 Halves(const std::byte* halves, int64_t block) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + block * kOutputs * 2)));
  }

  const std::byte* scales;
  const std::byte* minima;
  const std::byte* quants;
};

template <WeightFormat kFormat, int kRows>
void RunRows(const std::byte* bytes, const QuantizedActivations& x, int64_t first_row, float* y,
             int64_t y_stride) {
  using TileType = Tile<kFormat>;
  const int64_t blocks = x.blocks();
  const TileType tile(bytes, blocks);
  __m512 result[kRows];
  for (__m512& sum : result) sum = _mm512_setzero_ps();

  for (int64_t b = 0; b < blocks; ++b) {
    __m512i weights[8];
    tile.Unpack(b, weights);
    const __m512 scale = TileType::Halves(tile.scales, b);
    __m512 minimum = _mm512_setzero_ps();
    if constexpr (TileType::kHasMinimum) minimum = TileType::Halves(tile.minima, b);
    for (int r = 0; r < kRows; ++r) {
      const int64_t x_block = (first_row + r) * blocks + b;
      const auto* high = reinterpret_cast<const int32_t*>(x.Block(x_block));
      const int32_t* low = high + 8;
      __m512i high_dot = _mm512_setzero_si512();
      __m512i low_dot = TileType::kOffset == 0
                            ? _mm512_setzero_si512()
                            : _mm512_set1_epi32(-TileType::kOffset * x.sums[x_block]);
      for (int i = 0; i < 8; ++i) {
        high_dot = _mm512_dpbusd_epi32(high_dot, weights[i], _mm512_set1_epi32(high[i]));
        low_dot = _mm512_dpbusd_epi32(low_dot, weights[i], _mm512_set1_epi32(low[i]));
      }
      const __m512 dot =
          _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high_dot, 8), low_dot));
      result[r] =
          _mm512_fmadd_ps(_mm512_mul_ps(dot, scale), _mm512_set1_ps(x.scales[x_block]), result[r]);
      if constexpr (TileType::kHasMinimum) {
        result[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x.scaled_sums[x_block]), result[r]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(y + r * y_stride, result[r]);
}

template <WeightFormat kFormat>
void RunTile(const std::byte* tile, const QuantizedActivations& x, int64_t first_row, int64_t rows,
             float* y, int64_t y_stride) {
  int64_t done = 0;
  const auto run = [&]<int kRows>() {
    for (; rows - done >= kRows; done += kRows) {
      RunRows<kFormat, kRows>(tile, x, first_row + done, y + done * y_stride, y_stride);
    }
  };
  run.template operator()<kMaxRows>();
  run.template operator()<4>();
  run.template operator()<2>();
  run.template operator()<1>();
}

}  // namespace

QuantizedTileKernel FindAvx512VnniKernel(WeightFormat format) {
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
