// The decode kernels of formats whose scales belong to groups of several blocks, for an instruction
// set that the including file describes by a class Isa:
//   kOutputs        outputs that a vector holds, 16 or 8
//   kMaxRows        rows of activations that share one unpacking of the weights
//   Ints, Floats    vectors: 4 bytes, or a float, for each output
//   Load, And, Or, ShiftRight<n>, SetBytes, SetInts, SubInts             on Ints
//   ShiftLeftBy(v, n)            right if n is negative; only bits that stay in their byte count
//   Dot<kMaxQuant, n>(weights, x)   of n Ints of unsigned bytes with activations of one block
//   ToFloats, Zero, Set, Sub, Mul, MulAdd, LoadHalves, LoadBytes, LoadSignedBytes, Store  on Floats
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_gptq.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {
namespace {

/// 4-bit quants of a block: 4 chunks of nibbles become 8 vectors of 4 inputs.
template <class Isa>
inline void UnpackNibbles(const std::byte* quants, typename Isa::Ints* weights) {
  const auto mask = Isa::SetBytes(15);
  for (int i = 0; i < 4; ++i) {
    const auto both = Isa::Load(quants + i * 64);
    weights[2 * i] = Isa::And(both, mask);
    weights[2 * i + 1] = Isa::And(Isa::template ShiftRight<4>(both), mask);
  }
}

/// Outputs [first, first + Isa::kOutputs) of a tile times kRows rows. A group's products are summed
/// with the quants as they stand; its scale, and its zero times the sum of the activations, come at
/// its end.
template <class Isa, int kRows>
inline void RunGptqRows(const std::byte* bytes, const QuantizedActivations& x, int64_t first_row,
                        int first, float* y, int64_t y_stride) {
  using Floats = typename Isa::Floats;
  constexpr int kTileOutputs = GptqTileLayout::kOutputs;
  constexpr int kMaxQuant = 15;
  const int64_t blocks = x.blocks();
  const GptqTileLayout layout = GptqTileLayout::Of(bytes, blocks);
  const std::byte* scales = bytes + layout.scales() + first * 2;
  const std::byte* zeros = bytes + layout.zeros() + first;
  const std::byte* quants = bytes + layout.quants() + first * 4;
  Floats results[kRows];
  for (Floats& result : results) result = Isa::Zero();

  for (int64_t group = 0; group < layout.groups; ++group) {
    Floats products[kRows];
    float sums[kRows] = {};
    for (Floats& product : products) product = Isa::Zero();
    const int64_t end = std::min(blocks, (group + 1) * layout.group_blocks);
    for (int64_t b = group * layout.group_blocks; b < end; ++b) {
      if (first_row == 0) {
        FetchWeightsAfter<GptqTileLayout::kBlockQuantBytes>(quants +
                                                            b * GptqTileLayout::kBlockQuantBytes);
      }
      typename Isa::Ints weights[8];
      UnpackNibbles<Isa>(quants + b * GptqTileLayout::kBlockQuantBytes, weights);
      for (int r = 0; r < kRows; ++r) {
        const int64_t x_block = (first_row + r) * blocks + b;
        const auto dot = Isa::template Dot<kMaxQuant, 8>(weights, x.Block(x_block));
        products[r] = Isa::MulAdd(Isa::ToFloats(dot), Isa::Set(x.scales[x_block]), products[r]);
        sums[r] += x.scaled_sums[x_block];
      }
    }
    const Floats scale = Isa::LoadHalves(scales + group * kTileOutputs * 2);
    const Floats zero = Isa::LoadBytes(zeros + group * kTileOutputs);
    for (int r = 0; r < kRows; ++r) {
      const Floats shifted = Isa::Sub(products[r], Isa::Mul(zero, Isa::Set(sums[r])));
      results[r] = Isa::MulAdd(shifted, scale, results[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) Isa::Store(results[r], y + r * y_stride);
}

/// Calls run<kRows>(row, first) for all rows, as many at once as the instruction set takes, and the
/// outputs of each vector, `first` and those after it.
template <class Isa, class Run>
inline void RunRowsOf(int64_t rows, const Run& run) {
  for (int first = 0; first < PackedWeights::kTileOutputs; first += Isa::kOutputs) {
    int64_t done = 0;
    const auto run_while = [&]<int kRows>() {
      for (; rows - done >= kRows; done += kRows) run.template operator()<kRows>(done, first);
    };
    if constexpr (Isa::kMaxRows > 4) run_while.template operator()<Isa::kMaxRows>();
    if constexpr (Isa::kMaxRows >= 4) run_while.template operator()<4>();
    if constexpr (Isa::kMaxRows >= 2) run_while.template operator()<2>();
    run_while.template operator()<1>();
  }
}

template <class Isa>
void RunGptqTile(const std::byte* tile, const QuantizedActivations& x, int64_t first_row,
                 int64_t rows, float* y, int64_t y_stride) {
  RunRowsOf<Isa>(rows, [&]<int kRows>(int64_t row, int first) {
    RunGptqRows<Isa, kRows>(tile, x, first_row + row, first, y + row * y_stride + first, y_stride);
  });
}

}  // namespace
}  // namespace tandem::compute
