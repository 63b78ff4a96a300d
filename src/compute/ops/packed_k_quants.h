#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/weight_matrix.h"

namespace tandem::compute {

/// A tile of PackedWeights with GGML's K-quants is one record after the other, each of 256 inputs:
///   scales       float16 [16]
///   minima       float16 [16], zeros in Q6_K
///   sub-scales   Q4_K and Q5_K: uint8 [8][16], then sub-minima uint8 [8][16]; Q6_K: int8 [16][16]
///   blocks       [8], each of 32 inputs:
///     low bits   [4 chunks][16][4] bytes: inputs 8c to 8c+3 in the low and 8c+4 to 8c+7 in the
///     high
///                nibbles
///     high bits  [16][4] bytes for each bit that a quant has beyond four, rotated: of input 4c +
///     j,
///                Q5_K: bit c of byte j; Q6_K: bits 2 (c % 4) and the next of byte j, chunks 0 to 3
///                in the first [16][4] bytes, 4 to 7 in the second
struct KQuantTileLayout {
  static constexpr int kOutputs = 16;
  static constexpr int kBlocks = 8;  // In a record.
  static constexpr size_t kMinima = 32;
  static constexpr size_t kSubScales = 64;
  static constexpr size_t kSubMinima = 64 + 128;
  static constexpr size_t kFirstBlock = 64 + 256;
  static constexpr size_t kLowBytes = 256;

  static constexpr int HighPlanes(WeightFormat format) {
    return format == WeightFormat::kQ4_K ? 0 : format == WeightFormat::kQ5_K ? 1 : 2;
  }
  static constexpr size_t BlockBytes(WeightFormat format) {
    return kLowBytes + 64 * HighPlanes(format);
  }
  static constexpr size_t RecordBytes(WeightFormat format) {
    return kFirstBlock + kBlocks * BlockBytes(format);
  }
};

/// Adds a row of the format's super-blocks to a tile, as output `output`.
void PackKQuantRow(WeightFormat format, const std::byte* row, int64_t columns, int output,
                   std::byte* tile);

}  // namespace tandem::compute
