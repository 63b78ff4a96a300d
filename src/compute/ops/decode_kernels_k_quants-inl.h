// The decode kernels of GGML's K-quants, for an instruction set as decode_kernels_grouped-inl.h
// describes it.
#pragma once

#include "compute/k_quants.h"
#include "compute/ops/decode_kernels_grouped-inl.h"
#include "compute/ops/packed_k_quants.h"

namespace tandem::compute {
namespace {

/// A block's quants as 8 vectors of 4 inputs, unsigned.
template <class Isa, WeightFormat kFormat>
inline void UnpackKQuants(const std::byte* block, typename Isa::Ints* weights) {
  constexpr int kPlanes = KQuantTileLayout::HighPlanes(kFormat);
  UnpackNibbles<Isa>(block, weights);
  if constexpr (kPlanes > 0) {
    constexpr int kChunks = 8 / kPlanes;  // In a plane.
    const auto mask = Isa::SetBytes(kPlanes == 1 ? 0x10 : 0x30);
    for (int plane = 0; plane < kPlanes; ++plane) {
      const auto bits = Isa::Load(block + KQuantTileLayout::kLowBytes + plane * 64);
      for (int c = 0; c < kChunks; ++c) {
        // Moves the chunk's bits to the fifth and sixth.
        const auto moved = Isa::ShiftLeftBy(bits, 4 - kPlanes * c);
        weights[plane * kChunks + c] = Isa::Or(weights[plane * kChunks + c], Isa::And(moved, mask));
      }
    }
  }
}

/// The products of a block of weights and of activations, with the sub-scales, without the scale.
template <class Isa, WeightFormat kFormat>
inline typename Isa::Floats KQuantProduct(const typename Isa::Ints* weights,
                                          const typename Isa::Floats* sub_scales, const int8_t* x,
                                          const int32_t* half_sums) {
  if constexpr (kFormat == WeightFormat::kQ6_K) {
    typename Isa::Floats product = Isa::Zero();
    for (int half = 0; half < 2; ++half) {
      const auto dot = Isa::template Dot<63, 4>(weights + half * 4, x + half * 16);
      const auto offset = Isa::SetInts(KQuantBlock::kQ6Offset * half_sums[half]);
      product = Isa::MulAdd(Isa::ToFloats(Isa::SubInts(dot, offset)), sub_scales[half], product);
    }
    return product;
  } else {
    constexpr int kMaxQuant = kFormat == WeightFormat::kQ4_K ? 15 : 31;
    return Isa::Mul(Isa::ToFloats(Isa::template Dot<kMaxQuant, 8>(weights, x)), sub_scales[0]);
  }
}

/// Outputs [first, first + Isa::kOutputs) of a tile times kRows rows.
template <class Isa, WeightFormat kFormat, int kRows>
inline void RunKQuantRows(const std::byte* record, const QuantizedActivations& x, int64_t first_row,
                          int first, float* y, int64_t y_stride) {
  using Floats = typename Isa::Floats;
  using Layout = KQuantTileLayout;
  constexpr bool kHasMinima = kFormat != WeightFormat::kQ6_K;
  const int64_t blocks = x.blocks();
  Floats results[kRows];
  for (Floats& result : results) result = Isa::Zero();

  for (int64_t start = 0; start < blocks; start += Layout::kBlocks) {
    if (first_row == 0) FetchWeightsAfter<Layout::kFirstBlock>(record);
    Floats products[kRows], minima[kRows];
    for (int r = 0; r < kRows; ++r) products[r] = minima[r] = Isa::Zero();
    for (int b = 0; b < Layout::kBlocks; ++b) {
      const std::byte* block = record + Layout::kFirstBlock + b * Layout::BlockBytes(kFormat);
      if (first_row == 0) FetchWeightsAfter<Layout::BlockBytes(kFormat)>(block);
      typename Isa::Ints weights[8];
      UnpackKQuants<Isa, kFormat>(block + first * 4, weights);
      Floats sub_scales[2], sub_minimum = Isa::Zero();
      const std::byte* scales = record + Layout::kSubScales + first;
      if constexpr (kHasMinima) {
        sub_scales[0] = Isa::LoadBytes(scales + b * Layout::kOutputs);
        sub_minimum = Isa::LoadBytes(record + Layout::kSubMinima + b * Layout::kOutputs + first);
      } else {
        sub_scales[0] = Isa::LoadSignedBytes(scales + 2 * b * Layout::kOutputs);
        sub_scales[1] = Isa::LoadSignedBytes(scales + (2 * b + 1) * Layout::kOutputs);
      }
      for (int r = 0; r < kRows; ++r) {
        const int64_t x_block = (first_row + r) * blocks + start + b;
        const Floats product = KQuantProduct<Isa, kFormat>(weights, sub_scales, x.Block(x_block),
                                                           x.half_sums.data() + 2 * x_block);
        products[r] = Isa::MulAdd(product, Isa::Set(x.scales[x_block]), products[r]);
        if constexpr (kHasMinima) {
          minima[r] = Isa::MulAdd(sub_minimum, Isa::Set(x.scaled_sums[x_block]), minima[r]);
        }
      }
    }
    const Floats scale = Isa::LoadHalves(record + first * 2);
    const Floats minimum = Isa::LoadHalves(record + Layout::kMinima + first * 2);
    for (int r = 0; r < kRows; ++r) {
      results[r] = Isa::MulAdd(products[r], scale, results[r]);
      if constexpr (kHasMinima) results[r] = Isa::Sub(results[r], Isa::Mul(minima[r], minimum));
    }
    record += Layout::RecordBytes(kFormat);
  }
  for (int r = 0; r < kRows; ++r) Isa::Store(results[r], y + r * y_stride);
}

template <class Isa, WeightFormat kFormat>
void RunKQuantTile(const std::byte* tile, const QuantizedActivations& x, int64_t first_row,
                   int64_t rows, float* y, int64_t y_stride) {
  RunRowsOf<Isa>(rows, [&]<int kRows>(int64_t row, int first) {
    RunKQuantRows<Isa, kFormat, kRows>(tile, x, first_row + row, first, y + row * y_stride + first,
                                       y_stride);
  });
}

/// The kernel of a grouped format.
template <class Isa>
QuantizedTileKernel FindGroupedKernel(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_K:
      return RunKQuantTile<Isa, WeightFormat::kQ4_K>;
    case WeightFormat::kQ5_K:
      return RunKQuantTile<Isa, WeightFormat::kQ5_K>;
    case WeightFormat::kQ6_K:
      return RunKQuantTile<Isa, WeightFormat::kQ6_K>;
    default:
      return RunGptqTile<Isa>;
  }
}

}  // namespace
}  // namespace tandem::compute
