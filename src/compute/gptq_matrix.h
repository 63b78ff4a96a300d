#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tandem::compute {

/// A weight [rows, columns] in 4 bits as GPTQ's checkpoints store it, transposed. A view; its
/// arrays need not be aligned. Element [o, k] is scale * (quant - zero), both of k's group.
///
/// Groups are runs of `group_size` columns, the last may be shorter; with `column_order`
/// (act-order) they are runs in that order: position s is column column_order[s].
struct GptqMatrix {
  const std::byte* quants =
      nullptr;  ///< int32 [columns / 8, rows]: 8 along the columns, lowest first.
  const std::byte* zeros = nullptr;   ///< int32 [groups, rows / 8]: 8 along the rows, lowest first.
  const std::byte* scales = nullptr;  ///< float16 [groups, rows]
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t group_size = 0;
  int zero_offset = 1;  ///< Added to what stands in `zeros`.
  std::span<const int32_t> column_order;

  int64_t groups() const { return (columns + group_size - 1) / group_size; }
  int64_t Column(int64_t position) const {
    return column_order.empty() ? position : column_order[position];
  }
  uint32_t Quant(int64_t row, int64_t column) const {
    return Word(quants, column / 8 * rows + row) >> (4 * (column % 8)) & 15u;
  }
  int Zero(int64_t row, int64_t group) const {
    const uint32_t word = Word(zeros, group * (rows / 8) + row / 8);
    return static_cast<int>(word >> (4 * (row % 8)) & 15u) + zero_offset;
  }
  uint16_t ScaleBits(int64_t row, int64_t group) const {
    uint16_t bits;
    std::memcpy(&bits, scales + (group * rows + row) * 2, sizeof(bits));
    return bits;
  }

 private:
  static uint32_t Word(const std::byte* words, int64_t index) {
    uint32_t word;
    std::memcpy(&word, words + index * 4, sizeof(word));
    return word;
  }
};

}  // namespace tandem::compute
