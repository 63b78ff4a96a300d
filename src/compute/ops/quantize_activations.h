#pragma once

#include <cstdint>
#include <span>

#include "compute/aligned_buffer.h"
#include "compute/weight_matrix.h"

namespace tandem::compute {

/// Rows of activations in 16 bits, with a scale for each block of 32: value = scale * (256 * high +
/// low). Two int8 dot products a weight instead of one: with 8 bits alone the demo model's text
/// parts from the reference's, and its KV is off by 2.6 % of RMS. A row's values depend on that row
/// alone.
struct QuantizedActivations {
  int64_t columns = 0;
  AlignedBuffer<int8_t> quants;      ///< [rows, blocks, 2, 32]: high, then low, above -128.
  AlignedBuffer<float> scales;       ///< [rows, blocks]
  AlignedBuffer<int32_t> sums;       ///< [rows, blocks], of 256 * high + low.
  AlignedBuffer<int32_t> half_sums;  ///< [rows, blocks, 2], of each 16 values.
  AlignedBuffer<float> scaled_sums;  ///< [rows, blocks], scale times sum.
  AlignedBuffer<float> reordered;    ///< [rows, columns], scratch memory.

  int64_t blocks() const { return columns / kQuantBlock; }
  /// The quants of a block, counted through all rows: kQuantBlock high ones, then the low ones.
  const int8_t* Block(int64_t block) const { return quants.data() + block * 2 * kQuantBlock; }

  /// Makes room for `rows` of `columns` elements, a multiple of 32, that may be reordered.
  void Resize(int64_t rows, int64_t columns, bool reorder = false);
  /// Quantises `values` [columns] into `row`; element i is values[order[i]] if there is an order.
  void SetRow(int64_t row, const float* values, std::span<const int32_t> order = {});
};

}  // namespace tandem::compute
