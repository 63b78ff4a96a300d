#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compute/weight_matrix.h"

namespace tandem::compute::testing {

/// Uniform in [-scale, scale].
std::vector<float> RandomFloats(size_t count, float scale, uint64_t seed);

/// A weight with random elements of about 1 in any format, and the same dequantised.
struct RandomWeights {
  RandomWeights(WeightFormat format, int64_t rows, int64_t columns, uint64_t seed);
  RandomWeights(const RandomWeights&) = delete;  // Views point into it.

  WeightMatrix View() const {
    return {.format = format,
            .rows = rows,
            .columns = columns,
            .data = format == WeightFormat::kGptqInt4 ? nullptr : bytes.data(),
            .gptq = format == WeightFormat::kGptqInt4 ? &gptq : nullptr};
  }
  std::vector<float> Row(int64_t row) const;

  WeightFormat format;
  int64_t rows, columns;
  std::vector<std::byte> bytes;
  /// Of kGptqInt4: groups of 64 in a random order of columns.
  std::vector<int32_t> column_order;
  GptqMatrix gptq;

 private:
  void MakeGptq(uint64_t seed);
};

/// x [rows, columns] times the weight's rows, in float64.
std::vector<double> Multiply(const RandomWeights& weights, const std::vector<float>& x);

}  // namespace tandem::compute::testing
