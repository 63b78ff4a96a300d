#include <immintrin.h>

#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {
namespace {

constexpr int kOutputs = PackedWeights::kTileOutputs;
constexpr int kHalfOutputs = kOutputs / 2;  // A vector holds 8 outputs.
constexpr int kMaxRows = 4;

template <WeightFormat kFormat>
struct HalfTile {
  static constexpr bool kHasMinimum = kFormat == WeightFormat::kQ4_1;
  static constexpr bool kHasBytes = kFormat == WeightFormat::kQ8_0;
  static constexpr int kOffset = kFormat == WeightFormat::kQ4_0 ? 8 : 0;
  static constexpr int kBlockQuantBytes = kOutputs * (kHasBytes ? 32 : 16);
  static constexpr int kBlockBytes = kBlockQuantBytes + kOutputs * (kHasMinimum ? 4 : 2);

  HalfTile(const std::byte* tile, int64_t blocks, int half)
      : scales(tile + half * kHalfOutputs * 2),
        minima(scales + blocks * kOutputs * 2),
        quants(tile + blocks * kOutputs * (kHasMinimum ? 4 : 2) + half * 32) {}

  /// A block's quants as 8 vectors of 4 inputs for each of 8 outputs: signed bytes, or nibbles.
  void Unpack(int64_t block, __m256i* weights) const {
    const auto* bytes = reinterpret_cast<const __m256i*>(quants + block * kBlockQuantBytes);
    if constexpr (kHasBytes) {
      const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
      for (int i = 0; i < 8; ++i) {
        weights[i] = _mm256_xor_si256(_mm256_loadu_si256(bytes + 2 * i), sign);
      }
    } else {
      const __m256i mask = _mm256_set1_epi8(15);
      for (int i = 0; i < 4; ++i) {
        const __m256i both = _mm256_loadu_si256(bytes + 2 * i);
        weights[2 * i] = _mm256_and_si256(both, mask);
        weights[2 * i + 1] = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
      }
    }
  }

  /// Dot products of 8 outputs with a block of activations.
  static __m256i Dot(const __m256i* weights, const int32_t* x) {
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (kHasBytes) {
      // |w| times x with w's sign: a pair of products stays within 2 * 128 * 127.
      __m256i sum = _mm256_setzero_si256();
      for (int i = 0; i < 8; ++i) {
        const __m256i pairs = _mm256_maddubs_epi16(
            _mm256_abs_epi8(weights[i]), _mm256_sign_epi8(_mm256_set1_epi32(x[i]), weights[i]));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
      }
      return sum;
    } else {
      // Eight pairs of nibble products stay within 8 * 2 * 15 * 127, which 16 bits hold.
      __m256i pairs = _mm256_setzero_si256();
      for (int i = 0; i < 8; ++i) {
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(weights[i], _mm256_set1_epi32(x[i])));
      }
      return _mm256_madd_epi16(pairs, ones);
    }
  }

  static __m256 Halves(const std::byte* halves, int64_t block) {
    return _mm256_cvtph_ps(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(halves + block * kOutputs * 2)));
  }

  const std::byte* scales;
  const std::byte* minima;
  const std::byte* quants;
};

template <WeightFormat kFormat, int kRows>
void RunRows(const std::byte* bytes, const QuantizedActivations& x, int64_t first_row, int half,
             float* y, int64_t y_stride) {
  using TileType = HalfTile<kFormat>;
  const int64_t blocks = x.blocks();
  const TileType tile(bytes, blocks, half);
  __m256 result[kRows];
  for (__m256& sum : result) sum = _mm256_setzero_ps();

  for (int64_t b = 0; b < blocks; ++b) {
    if (first_row == 0 && half == 0)
      FetchWeightsAfter<TileType::kBlockBytes>(bytes + b * TileType::kBlockBytes);
    __m256i weights[8];
    tile.Unpack(b, weights);
    const __m256 scale = TileType::Halves(tile.scales, b);
    __m256 minimum = _mm256_setzero_ps();
    if constexpr (TileType::kHasMinimum) minimum = TileType::Halves(tile.minima, b);
    for (int r = 0; r < kRows; ++r) {
      const int64_t x_block = (first_row + r) * blocks + b;
      const auto* high = reinterpret_cast<const int32_t*>(x.Block(x_block));
      __m256i dot = _mm256_add_epi32(_mm256_slli_epi32(TileType::Dot(weights, high), 8),
                                     TileType::Dot(weights, high + 8));
      if constexpr (TileType::kOffset != 0) {
        dot = _mm256_sub_epi32(dot, _mm256_set1_epi32(TileType::kOffset * x.sums[x_block]));
      }
      result[r] = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(dot), scale),
                                  _mm256_set1_ps(x.scales[x_block]), result[r]);
      if constexpr (TileType::kHasMinimum) {
        result[r] = _mm256_fmadd_ps(minimum, _mm256_set1_ps(x.scaled_sums[x_block]), result[r]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) _mm256_storeu_ps(y + r * y_stride, result[r]);
}

template <WeightFormat kFormat>
void RunTile(const std::byte* tile, const QuantizedActivations& x, int64_t first_row, int64_t rows,
             float* y, int64_t y_stride) {
  for (int half = 0; half < 2; ++half, y += kHalfOutputs) {
    int64_t done = 0;
    const auto run = [&]<int kRows>() {
      for (; rows - done >= kRows; done += kRows) {
        RunRows<kFormat, kRows>(tile, x, first_row + done, half, y + done * y_stride, y_stride);
      }
    };
    run.template operator()<kMaxRows>();
    run.template operator()<2>();
    run.template operator()<1>();
  }
}

}  // namespace

QuantizedTileKernel FindAvx2Kernel(WeightFormat format) {
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
