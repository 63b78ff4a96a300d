#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/gptq_matrix.h"

namespace tandem::compute {

/// A tile of PackedWeights with GPTQ's weights, one after the other:
///   int32 blocks of 32 inputs in a group, and padding up to 64 bytes
///   scales  float16 [groups][16]
///   zeros   uint8 [groups][16], and padding up to a multiple of 64 bytes
///   quants  [blocks][4 chunks][16][4] bytes: inputs 8c to 8c+3 in the low and 8c+4 to 8c+7 in the
///           high nibbles
/// Inputs stand in the order of groups (GptqMatrix::column_order).
struct GptqTileLayout {
  static constexpr int kOutputs = 16;
  static constexpr size_t kHeaderBytes = 64;
  static constexpr size_t kBlockQuantBytes = 256;

  GptqTileLayout(int64_t blocks, int64_t group_blocks)
      : blocks(blocks),
        group_blocks(group_blocks),
        groups((blocks + group_blocks - 1) / group_blocks) {}

  /// The layout of a tile that has been filled.
  static GptqTileLayout Of(const std::byte* tile, int64_t blocks) {
    int32_t group_blocks;
    std::memcpy(&group_blocks, tile, sizeof(group_blocks));
    return {blocks, group_blocks};
  }

  size_t scales() const { return kHeaderBytes; }
  size_t zeros() const { return kHeaderBytes + groups * kOutputs * 2; }
  size_t quants() const { return (zeros() + groups * kOutputs + 63) / 64 * 64; }
  size_t bytes() const { return quants() + blocks * kBlockQuantBytes; }

  int64_t blocks;
  int64_t group_blocks;
  int64_t groups;
};

/// Fills `count` tiles, `tile_bytes` apart, of the outputs of `matrix` from `first_row` on; zeros
/// where it has fewer. The more at once, the longer are the pieces of its transposed rows that are
/// read: 64 bytes a tile.
void PackGptqTiles(const GptqMatrix& matrix, int64_t first_row, int64_t count, size_t tile_bytes,
                   std::byte* tiles);

}  // namespace tandem::compute
