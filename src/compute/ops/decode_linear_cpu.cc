#include <algorithm>

#include "compute/ops/decode_linear.h"

namespace tandem::compute {
namespace {

constexpr int kTileOutputs = PackedWeights::kTileOutputs;
constexpr int64_t kSharesPerThread = 4;  // So that a thread that is held up leaves work to others.
constexpr int64_t kTailRows = 64;

}  // namespace

DecodeLinear::DecodeLinear(std::span<const WeightMatrix> parts, CpuTarget target,
                           ThreadPool& pool) {
  for (const WeightMatrix& matrix : parts) {
    Part& part = parts_.emplace_back(Part{PackedWeights(matrix), outputs_, tiles_});
    if (IsQuantized(matrix.format)) {
      quantized_ = true;
      part.quantized_kernel = FindQuantizedKernel(matrix.format, target);
    } else {
      part.float_kernel = FindFloatKernel(matrix.format);
    }
    pool.ParallelFor(part.weights.tiles(),
                     [&](int64_t tile, int) { part.weights.PackTile(matrix, tile); });
    outputs_ += matrix.rows;
    tiles_ += part.weights.tiles();
  }
}

void DecodeLinear::Run(const float* x, int64_t rows, float* y, QuantizedActivations& quantized,
                       ThreadPool& pool) const {
  if (quantized_) {
    quantized.Resize(rows, inputs());
    pool.ParallelFor(rows, [&](int64_t row, int) { quantized.SetRow(row, x + row * inputs()); });
  }
  const int64_t share = std::max<int64_t>(1, tiles_ / (pool.threads() * kSharesPerThread));
  pool.ParallelFor((tiles_ + share - 1) / share, [&](int64_t index, int) {
    const int64_t end = std::min(tiles_, (index + 1) * share);
    for (int64_t tile = index * share; tile < end; ++tile) RunTile(tile, x, quantized, rows, y);
  });
}

const DecodeLinear::Part& DecodeLinear::PartOf(int64_t tile) const {
  return *std::find_if(parts_.rbegin(), parts_.rend(),
                       [tile](const Part& part) { return part.first_tile <= tile; });
}

void DecodeLinear::RunTile(int64_t tile, const float* x, const QuantizedActivations& quantized,
                           int64_t rows, float* y) const {
  const Part& part = PartOf(tile);
  const int64_t first = (tile - part.first_tile) * kTileOutputs;
  const std::byte* bytes = part.weights.Tile(tile - part.first_tile);
  const auto run = [&](int64_t row, int64_t count, float* out, int64_t stride) {
    if (part.quantized_kernel != nullptr) {
      part.quantized_kernel(bytes, quantized, row, count, out, stride);
    } else {
      part.float_kernel(bytes, x + row * inputs(), inputs(), count, out, stride);
    }
  };
  y += part.first_output + first;
  const int64_t width = std::min<int64_t>(kTileOutputs, part.weights.outputs() - first);
  if (width == kTileOutputs) {
    run(0, rows, y, outputs_);
    return;
  }
  float tail[kTailRows * kTileOutputs];
  for (int64_t row = 0; row < rows; row += kTailRows) {
    const int64_t count = std::min(kTailRows, rows - row);
    run(row, count, tail, kTileOutputs);
    for (int64_t r = 0; r < count; ++r) {
      std::copy_n(tail + r * kTileOutputs, width, y + (row + r) * outputs_);
    }
  }
}

}  // namespace tandem::compute
