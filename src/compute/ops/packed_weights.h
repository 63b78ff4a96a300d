#pragma once

#include <cstddef>
#include <cstdint>

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
class PackedWeights {
 public:
  static constexpr int kTileOutputs = 16;

  explicit PackedWeights(const WeightMatrix& weights);

  WeightFormat format() const { return format_; }
  int64_t outputs() const { return outputs_; }
  int64_t columns() const { return columns_; }
  int64_t tiles() const { return (outputs_ + kTileOutputs - 1) / kTileOutputs; }
  size_t tile_bytes() const { return tile_bytes_; }

  std::byte* Tile(int64_t tile) { return data_.data() + tile * tile_bytes_; }
  const std::byte* Tile(int64_t tile) const { return data_.data() + tile * tile_bytes_; }

  /// Fills one tile from the weight that the constructor was given.
  void PackTile(const WeightMatrix& weights, int64_t tile);

 private:
  WeightFormat format_;
  int64_t outputs_;
  int64_t columns_;
  size_t tile_bytes_;
  AlignedBuffer<std::byte> data_;
};

}  // namespace tandem::compute
