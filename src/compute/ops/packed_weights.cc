#include "compute/ops/packed_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "compute/ops/packed_gptq.h"
#include "compute/ops/packed_k_quants.h"

namespace tandem::compute {
namespace {

constexpr int kOutputs = PackedWeights::kTileOutputs;
constexpr size_t kLine = 64;

size_t TileBytes(const WeightMatrix& weights) {
  const int64_t columns = weights.columns;
  const size_t blocks = columns / kQuantBlock;
  size_t bytes = 0;
  switch (weights.format) {
    case WeightFormat::kFloat32:
      bytes = columns * kOutputs * 4;
      break;
    case WeightFormat::kFloat16:
    case WeightFormat::kBFloat16:
      bytes = columns * kOutputs * 2;
      break;
    case WeightFormat::kQ4_0:
      bytes = blocks * kOutputs * (2 + 16);
      break;
    case WeightFormat::kQ4_1:
      bytes = blocks * kOutputs * (4 + 16);
      break;
    case WeightFormat::kQ8_0:
      bytes = blocks * kOutputs * (2 + 32);
      break;
    case WeightFormat::kQ4_K:
    case WeightFormat::kQ5_K:
    case WeightFormat::kQ6_K:
      bytes = blocks / KQuantTileLayout::kBlocks * KQuantTileLayout::RecordBytes(weights.format);
      break;
    case WeightFormat::kGptqInt4:
      bytes = GptqTileLayout(blocks, weights.gptq->group_size / kQuantBlock).bytes();
      break;
  }
  return (bytes + kLine - 1) / kLine * kLine;
}

/// Rows of elements of one size, side by side: [rows.size()][columns] to [columns][16].
template <typename Element>
void PackFloats(std::span<const std::byte* const> rows, int64_t columns, std::byte* tile) {
  constexpr int kColumns = 64 / sizeof(Element);  // A line of each row at a time.
  for (int64_t begin = 0; begin < columns; begin += kColumns) {
    const auto count = std::min<int64_t>(kColumns, columns - begin);
    Element block[kColumns][kOutputs] = {};
    for (size_t output = 0; output < rows.size(); ++output) {
      Element line[kColumns];
      std::memcpy(line, rows[output] + begin * sizeof(Element), count * sizeof(Element));
      for (int64_t k = 0; k < count; ++k) block[k][output] = line[k];
    }
    std::memcpy(tile + begin * kOutputs * sizeof(Element), block,
                count * kOutputs * sizeof(Element));
  }
}

void PackNibbles(const std::byte* nibbles, int output, std::byte* quants) {
  // Byte i holds element i low and i + 16 high; a packed byte holds elements k low and k + 4 high.
  const auto element = [nibbles](int k) {
    const auto byte = std::to_integer<unsigned>(nibbles[k % 16]);
    return k < 16 ? byte & 15u : byte >> 4;
  };
  for (int chunk = 0; chunk < 4; ++chunk) {
    for (int j = 0; j < 4; ++j) {
      const unsigned low = element(chunk * 8 + j), high = element(chunk * 8 + 4 + j);
      quants[(chunk * kOutputs + output) * 4 + j] = static_cast<std::byte>(low | (high << 4));
    }
  }
}

void PackBytes(const std::byte* row_quants, int output, std::byte* quants) {
  for (int k = 0; k < kQuantBlock; ++k) {
    quants[(k / 4 * kOutputs + output) * 4 + k % 4] = row_quants[k] ^ std::byte{0x80};
  }
}

void PackBlocks(const std::byte* row, WeightFormat format, int64_t blocks, int output,
                std::byte* tile) {
  const bool has_minimum = format == WeightFormat::kQ4_1;
  const bool has_bytes = format == WeightFormat::kQ8_0;
  std::byte* minima = tile + blocks * kOutputs * 2;
  std::byte* quants = minima + (has_minimum ? blocks * kOutputs * 2 : 0);
  for (int64_t b = 0; b < blocks; ++b) {
    std::memcpy(tile + (b * kOutputs + output) * 2, row, 2);
    row += 2;
    if (has_minimum) {
      std::memcpy(minima + (b * kOutputs + output) * 2, row, 2);
      row += 2;
    }
    if (has_bytes) {
      PackBytes(row, output, quants + b * kOutputs * 32);
      row += 32;
    } else {
      PackNibbles(row, output, quants + b * kOutputs * 16);
      row += 16;
    }
  }
}

}  // namespace

PackedWeights::PackedWeights(const WeightMatrix& weights)
    : format_(weights.format),
      outputs_(weights.rows),
      columns_(weights.columns),
      tile_bytes_(TileBytes(weights)),
      data_(tile_bytes_ * tiles()) {
  if (format_ == WeightFormat::kGptqInt4) {
    column_order_.assign(weights.gptq->column_order.begin(), weights.gptq->column_order.end());
  }
}

void PackedWeights::PackTiles(const WeightMatrix& weights, int64_t first, int64_t count) {
  if (format_ == WeightFormat::kGptqInt4) {
    PackGptqTiles(*weights.gptq, first * kTileOutputs, count, tile_bytes_, Tile(first));
    return;
  }
  for (int64_t tile = first; tile < first + count; ++tile) PackTile(weights, tile);
}

void PackedWeights::PackTile(const WeightMatrix& weights, int64_t tile) {
  std::byte* out = Tile(tile);
  const int64_t first = tile * kTileOutputs;
  std::array<const std::byte*, kTileOutputs> stored;
  const auto outputs = static_cast<int>(std::min<int64_t>(kTileOutputs, outputs_ - first));
  for (int output = 0; output < outputs; ++output) stored[output] = weights.Row(first + output);
  const auto rows = std::span(stored).first(outputs);
  if (format_ == WeightFormat::kFloat32) return PackFloats<uint32_t>(rows, columns_, out);
  if (!IsQuantized(format_)) return PackFloats<uint16_t>(rows, columns_, out);
  if (outputs < kTileOutputs) std::memset(out, 0, tile_bytes_);
  for (int output = 0; output < outputs; ++output) {
    if (IsKQuant(format_)) {
      PackKQuantRow(format_, rows[output], columns_, output, out);
    } else {
      PackBlocks(rows[output], format_, columns_ / kQuantBlock, output, out);
    }
  }
}

}  // namespace tandem::compute
