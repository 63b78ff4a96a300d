#include "compute/ops/packed_k_quants.h"

#include <cstring>

#include "compute/k_quants.h"

namespace tandem::compute {
namespace {

using Layout = KQuantTileLayout;

void PackBlock(WeightFormat format, const uint8_t* quants, int output, std::byte* block) {
  const auto line = [&](size_t offset) { return block + offset + output * 4; };
  for (int chunk = 0; chunk < 4; ++chunk) {
    for (int j = 0; j < 4; ++j) {
      const unsigned low = quants[chunk * 8 + j] & 15u, high = quants[chunk * 8 + 4 + j] & 15u;
      line(chunk * 64)[j] = static_cast<std::byte>(low | high << 4);
    }
  }
  const int planes = Layout::HighPlanes(format);
  for (int plane = 0; plane < planes; ++plane) {
    const int chunks = 8 / planes;
    for (int j = 0; j < 4; ++j) {
      unsigned bits = 0;
      for (int c = 0; c < chunks; ++c) {
        bits |= unsigned{quants[(plane * chunks + c) * 4 + j]} >> 4 << (planes * c);
      }
      line(Layout::kLowBytes + plane * 64)[j] = static_cast<std::byte>(bits);
    }
  }
}

}  // namespace

void PackKQuantRow(WeightFormat format, const std::byte* row, int64_t columns, int output,
                   std::byte* tile) {
  for (int64_t k = 0; k < columns; k += KQuantBlock::kElements) {
    const KQuantBlock block(format, row);
    std::memcpy(tile + output * 2, &block.scale, 2);
    std::memcpy(tile + Layout::kMinima + output * 2, &block.minimum, 2);
    const size_t sub_scales = format == WeightFormat::kQ6_K ? 16 : 8;
    for (size_t i = 0; i < sub_scales; ++i) {
      tile[Layout::kSubScales + i * Layout::kOutputs + output] =
          static_cast<std::byte>(block.sub_scales[i]);
    }
    for (size_t i = 0; sub_scales == 8 && i < 8; ++i) {
      tile[Layout::kSubMinima + i * Layout::kOutputs + output] =
          static_cast<std::byte>(block.sub_minima[i]);
    }
    for (int b = 0; b < Layout::kBlocks; ++b) {
      PackBlock(format, block.quants.data() + b * kQuantBlock, output,
                tile + Layout::kFirstBlock + b * Layout::BlockBytes(format));
    }
    row += KQuantBlock::Bytes(format);
    tile += Layout::RecordBytes(format);
  }
}

}  // namespace tandem::compute
