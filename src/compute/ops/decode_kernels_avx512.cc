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
  static constexpr int kBlockBytes = kBlockQuantBytes + kOutputs * (kHasMinimum ? 4 : 2);

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

/// Adds the products of 16 outputs' weights of four inputs, unsigned, with these inputs, signed.
inline void AddProducts(__m512i weights, const int32_t* inputs, __m512i* sums) {
#if defined(__GNUC__) && !defined(__clang__)
  // GCC broadcasts by an instruction of its own, a third of all.
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(*sums) : "v"(weights), "m"(*inputs));
#else
  *sums = _mm512_dpbusd_epi32(*sums, weights, _mm512_set1_epi32(*inputs));
#endif
}

template <WeightFormat kFormat, int kRows>
void RunRows(const std::byte* bytes, const QuantizedActivations& x, int64_t first_row, float* y,
             int64_t y_stride) {
  using TileType = Tile<kFormat>;
  constexpr int kTurns = kRows < 4 ? kRows : 4;
  const int64_t blocks = x.blocks();
  const TileType tile(bytes, blocks);
  __m512 result[kRows];
  for (__m512& sum : result) sum = _mm512_setzero_ps();

  for (int64_t b = 0; b < blocks; ++b) {
    if (first_row == 0) FetchWeightsAfter<TileType::kBlockBytes>(bytes + b * TileType::kBlockBytes);
    __m512i weights[8];
    tile.Unpack(b, weights);
    const __m512 scale = TileType::Halves(tile.scales, b);
    __m512 minimum = _mm512_setzero_ps();
    if constexpr (TileType::kHasMinimum) minimum = TileType::Halves(tile.minima, b);
    // Rows take turns: one row's dot products wait for each other longer than schedulers see ahead.
    for (int first = 0; first < kRows; first += kTurns) {
      const int64_t x_block = (first_row + first) * blocks + b;
      __m512i high_dot[kTurns], low_dot[kTurns];
      for (int r = 0; r < kTurns; ++r) {
        high_dot[r] = _mm512_setzero_si512();
        low_dot[r] = TileType::kOffset == 0
                         ? _mm512_setzero_si512()
                         : _mm512_set1_epi32(-TileType::kOffset * x.sums[x_block + r * blocks]);
      }
      for (int i = 0; i < 8; ++i) {
        for (int r = 0; r < kTurns; ++r) {
          const auto* high = reinterpret_cast<const int32_t*>(x.Block(x_block + r * blocks));
          AddProducts(weights[i], high + i, &high_dot[r]);
          AddProducts(weights[i], high + 8 + i, &low_dot[r]);
        }
      }
      for (int r = 0; r < kTurns; ++r) {
        const __m512 dot =
            _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high_dot[r], 8), low_dot[r]));
        __m512& sum = result[first + r];
        sum = _mm512_fmadd_ps(_mm512_mul_ps(dot, scale),
                              _mm512_set1_ps(x.scales[x_block + r * blocks]), sum);
        if constexpr (TileType::kHasMinimum) {
          sum = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x.scaled_sums[x_block + r * blocks]), sum);
        }
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
