#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tandem::compute {

/// How a weight's elements are stored; the quantised ones are GGML's blocks of 32 along a row.
enum class WeightFormat { kFloat32, kFloat16, kBFloat16, kQ4_0, kQ4_1, kQ8_0 };

constexpr int kQuantBlock = 32;

constexpr bool IsQuantized(WeightFormat format) { return format >= WeightFormat::kQ4_0; }

/// A weight [rows, columns] as a checkpoint stores it, one output a row. A view.
struct WeightMatrix {
  WeightFormat format = WeightFormat::kFloat32;
  int64_t rows = 0;
  int64_t columns = 0;
  const std::byte* data = nullptr;
  /// If not empty, output i is the stored row row_order[i].
  std::span<const int32_t> row_order;

  size_t row_bytes() const;
  /// The bytes of output `row`.
  const std::byte* Row(int64_t row) const {
    return data + (row_order.empty() ? row : row_order[row]) * row_bytes();
  }
};

/// Writes `columns` floats.
void DequantizeRow(WeightFormat format, const std::byte* row, int64_t columns, float* out);

}  // namespace tandem::compute
