#include "compute/ops/packed_weights.h"

#include <cstring>

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

void PackFloats(const std::byte* row, int64_t columns, size_t element, int output,
                std::byte* tile) {
  for (int64_t k = 0; k < columns; ++k) {
    std::memcpy(tile + (k * kOutputs + output) * element, row + k * element, element);
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

void PackedWeights::PackTile(const WeightMatrix& weights, int64_t tile) {
  std::byte* out = Tile(tile);
  const int64_t first = tile * kTileOutputs;
  if (format_ == WeightFormat::kGptqInt4) {
    PackGptqTile(*weights.gptq, first, out);
    return;
  }
  if (first + kTileOutputs > outputs_) std::memset(out, 0, tile_bytes_);
  for (int output = 0; output < kTileOutputs && first + output < outputs_; ++output) {
    const std::byte* row = weights.Row(first + output);
    if (IsKQuant(format_)) {
      PackKQuantRow(format_, row, columns_, output, out);
    } else if (IsQuantized(format_)) {
      PackBlocks(row, format_, columns_ / kQuantBlock, output, out);
    } else {
      PackFloats(row, columns_, format_ == WeightFormat::kFloat32 ? 4 : 2, output, out);
    }
  }
}

}  // namespace tandem::compute
