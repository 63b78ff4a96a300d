#include "compute/ops/packed_gptq.h"

#include <algorithm>
#include <array>

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

/// The words of 8 inputs of up to 16 outputs.
void GatherChunk(const GptqMatrix& matrix, int64_t first_row, int outputs, int64_t position,
                 uint32_t* words) {
  if (matrix.column_order.empty()) {
    std::memcpy(words, matrix.quants + (position / kChunkInputs * matrix.rows + first_row) * 4,
                outputs * 4);
    return;
  }
  std::fill_n(words, outputs, 0u);
  for (int i = 0; i < kChunkInputs; ++i) {
    const int64_t column = matrix.column_order[position + i];
    std::array<uint32_t, kOutputs> stored;
    std::memcpy(stored.data(), matrix.quants + (column / 8 * matrix.rows + first_row) * 4,
                outputs * 4);
    const int shift = static_cast<int>(4 * (column % 8));
    for (int o = 0; o < outputs; ++o) words[o] |= (stored[o] >> shift & 15u) << (4 * i);
  }
}

}  // namespace

void PackGptqTile(const GptqMatrix& matrix, int64_t first_row, std::byte* tile) {
  const GptqTileLayout layout(matrix.columns / kQuantBlock, matrix.group_size / kQuantBlock);
  const int outputs = static_cast<int>(std::min<int64_t>(kOutputs, matrix.rows - first_row));
  if (outputs < kOutputs) std::memset(tile, 0, layout.bytes());
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
  std::byte* out = tile + layout.quants();
  std::array<uint32_t, kOutputs> words{};
  for (int64_t position = 0; position < matrix.columns; position += kChunkInputs) {
    GatherChunk(matrix, first_row, outputs, position, words.data());
    for (uint32_t& word : words) word = Interleave(word);
    std::memcpy(out, words.data(), sizeof(words));
    out += sizeof(words);
  }
}

}  // namespace tandem::compute
