#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/gptq_matrix.h"

namespace tandem::compute {

/// How a weight's elements are stored: floats, GGML's blocks of 32 along a row, as GptqMatrix says,
/// or GGML's blocks of 256 along a row (KQuantBlock).
enum class WeightFormat {
  kFloat32,
  kFloat16,
  kBFloat16,
  kQ4_0,
  kQ4_1,
  kQ8_0,
  kGptqInt4,
  kQ4_K,
  kQ5_K,
  kQ6_K,
};

constexpr int kQuantBlock = 32;

constexpr bool IsKQuant(WeightFormat format) { return format >= WeightFormat::kQ4_K; }

constexpr bool IsQuantized(WeightFormat format) { return format >= WeightFormat::kQ4_0; }

/// Elements that are stored together: a row has a multiple of them.
constexpr int BlockElements(WeightFormat format) {
  return IsKQuant(format) ? 256 : IsQuantized(format) ? kQuantBlock : 1;
}

/// A weight [rows, columns] as a checkpoint stores it, one output a row. A view.
struct WeightMatrix {
  WeightFormat format = WeightFormat::kFloat32;
  int64_t rows = 0;
  int64_t columns = 0;
  const std::byte* data = nullptr;  ///< Row by row; null for kGptqInt4.
  /// If not empty, output i is the stored row row_order[i].
  std::span<const int32_t> row_order;
  const GptqMatrix* gptq = nullptr;  ///< Of kGptqInt4, whose rows are never reordered.

  size_t row_bytes() const;
  /// The bytes of output `row`.
  const std::byte* Row(int64_t row) const {
    return data + (row_order.empty() ? row : row_order[row]) * row_bytes();
  }
};

/// Writes output `row` of the weight, [columns].
void DequantizeOutput(const WeightMatrix& weight, int64_t row, float* out);

/// Writes `columns` floats of a row that stands by itself.
void DequantizeRow(WeightFormat format, const std::byte* row, int64_t columns, float* out);

}  // namespace tandem::compute
