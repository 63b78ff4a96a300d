#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// A weight in its checkpoint's own precision, in tiles of 16 outputs that stand side by side, as
/// the decode kernels read it: a vector holds the same inputs of 16 outputs.
///
/// A tile of a float format is [columns][16]. A tile of a quantised one is, one after the other:
///   scales   float16 [blocks][16]
///   minima   float16 [blocks][16], only Q4_1
///   quants   [blocks][chunks][16][4] bytes. Q8_0: 8 chunks, quant + 128 of inputs 4c to 4c+3.
///            Q4: 4 chunks, inputs 8c to 8c+3 in the low and 8c+4 to 8c+7 in the high nibbles.
/// Tiles of GPTQ's weights and of K-quants are described in packed_gptq.h and packed_k_quants.h.
/// So a tile is read from its start to its end, and tiles one after the other.
///
/// To add a format: a member of WeightFormat with its row_bytes and DequantizeRow; its tile here;
/// its kernels in decode_kernels_*.cc, or for one that differs much in files of its own beside
/// them, found through FindQuantizedKernel; and a line in decode_linear_test.cc, which every format
/// passes on every target. A kernel gets its activations as QuantizedActivations has them and sums
/// along k in one order, whatever the number of rows.
class PackedWeights {
 public:
  static constexpr int kTileOutputs = 16;

  explicit PackedWeights(const WeightMatrix& weights);

  WeightFormat format() const { return format_; }
  int64_t outputs() const { return outputs_; }
  int64_t columns() const { return columns_; }
  int64_t tiles() const { return (outputs_ + kTileOutputs - 1) / kTileOutputs; }
  size_t tile_bytes() const { return tile_bytes_; }
  /// The order in which the tiles hold the inputs; empty if it is their own.
  const std::vector<int32_t>& column_order() const { return column_order_; }

  std::byte* Tile(int64_t tile) { return data_.data() + tile * tile_bytes_; }
  const std::byte* Tile(int64_t tile) const { return data_.data() + tile * tile_bytes_; }

  /// Fills `count` tiles from the weight that the constructor was given.
  void PackTiles(const WeightMatrix& weights, int64_t first, int64_t count);

 private:
  void PackTile(const WeightMatrix& weights, int64_t tile);

  WeightFormat format_;
  int64_t outputs_;
  int64_t columns_;
  size_t tile_bytes_;
  std::vector<int32_t> column_order_;
  AlignedBuffer<std::byte> data_;
};

}  // namespace tandem::compute
