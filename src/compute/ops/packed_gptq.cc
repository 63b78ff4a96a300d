#include "compute/ops/packed_gptq.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "compute/weight_matrix.h"

namespace tandem::compute {
namespace {

constexpr int kOutputs = GptqTileLayout::kOutputs;
constexpr int kChunkInputs = 8;

/// Four nibbles in the low halves of four bytes.
uint32_t Spread(uint32_t nibbles) {
  nibbles = (nibbles | nibbles << 8) & 0x00ff00ffu;
  return (nibbles | nibbles << 4) & 0x0f0f0f0fu;
}

/// From 8 quants one after the other to 0 to 3 in the low and 4 to 7 in the high nibbles.
uint32_t Interleave(uint32_t word) { return Spread(word & 0xffffu) | Spread(word >> 16) << 4; }

/// The words of 8 inputs of as many outputs as there is room for.
void GatherChunk(const GptqMatrix& matrix, int64_t first_row, int64_t position,
                 std::span<uint32_t> words) {
  const auto stored = [&](int64_t chunk) {
    return matrix.quants + (chunk * matrix.rows + first_row) * 4;
  };
  if (matrix.column_order.empty()) {
    std::memcpy(words.data(), stored(position / kChunkInputs), words.size_bytes());
    return;
  }
  std::fill(words.begin(), words.end(), 0u);
  for (int i = 0; i < kChunkInputs; ++i) {
    const int64_t column = matrix.column_order[position + i];
    const std::byte* const from = stored(column / kChunkInputs);
    const int shift = static_cast<int>(4 * (column % kChunkInputs));
    for (size_t o = 0; o < words.size(); ++o) {
      uint32_t word;
      std::memcpy(&word, from + o * 4, sizeof(word));
      words[o] |= (word >> shift & 15u) << (4 * i);
    }
  }
}

/// All of a tile but its quants.
void FillHeader(const GptqMatrix& matrix, const GptqTileLayout& layout, int64_t first_row,
                std::byte* tile) {
  const auto outputs = static_cast<int>(std::min<int64_t>(kOutputs, matrix.rows - first_row));
  if (outputs < kOutputs) std::memset(tile, 0, layout.quants());
  const auto group_blocks = static_cast<int32_t>(layout.group_blocks);
  std::memcpy(tile, &group_blocks, sizeof(group_blocks));
  for (int64_t group = 0; group < layout.groups; ++group) {
    std::memcpy(tile + layout.scales() + group * kOutputs * 2,
                matrix.scales + (group * matrix.rows + first_row) * 2, outputs * 2);
    for (int o = 0; o < outputs; ++o) {
      tile[layout.zeros() + group * kOutputs + o] =
          static_cast<std::byte>(matrix.Zero(first_row + o, group));
    }
  }
}

}  // namespace

void PackGptqTiles(const GptqMatrix& matrix, int64_t first_row, int64_t count, size_t tile_bytes,
                   std::byte* tiles) {
  const GptqTileLayout layout(matrix.columns / kQuantBlock, matrix.group_size / kQuantBlock);
  for (int64_t t = 0; t < count; ++t) {
    FillHeader(matrix, layout, first_row + t * kOutputs, tiles + t * tile_bytes);
  }
  std::vector<uint32_t> words(count * kOutputs);
  const auto stored = std::span(words).first(std::min(count * kOutputs, matrix.rows - first_row));
  std::byte* out = tiles + layout.quants();
  for (int64_t position = 0; position < matrix.columns; position += kChunkInputs) {
    GatherChunk(matrix, first_row, position, stored);
    for (int64_t t = 0; t < count; ++t) {
      std::array<uint32_t, kOutputs> tile;
      for (int o = 0; o < kOutputs; ++o) tile[o] = Interleave(words[t * kOutputs + o]);
      std::memcpy(out + t * tile_bytes, tile.data(), sizeof(tile));
    }
    out += kOutputs * 4;
  }
}

}  // namespace tandem::compute
