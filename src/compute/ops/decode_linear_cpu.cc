#include <algorithm>

#include "compute/ops/add.h"
#include "compute/ops/decode_linear.h"

namespace tandem::compute {
namespace {

constexpr int kTileOutputs = PackedWeights::kTileOutputs;
constexpr int64_t kSharesPerThread = 4;  // So that a thread that is held up leaves work to others.
constexpr int64_t kPackedAtOnce = 32;    // Tiles, of which GPTQ's are read together.
constexpr int64_t kAsideRows = 64;       // Whose results are put into place after the kernel.

}  // namespace

DecodeLinear::DecodeLinear(std::span<const WeightMatrix> parts, CpuTarget target,
                           ThreadPool& pool) {
  for (const WeightMatrix& matrix : parts) {
    Part& part = parts_.emplace_back(Part{PackedWeights(matrix), outputs_, tiles_});
    if (IsQuantized(matrix.format)) {
      const std::vector<int32_t>& order = part.weights.column_order();
      const auto found = std::find(orders_.begin(), orders_.end(), order);
      part.order = found - orders_.begin();
      if (found == orders_.end()) orders_.push_back(order);
      part.quantized_kernel = FindQuantizedKernel(matrix.format, target);
    } else {
      part.float_kernel = FindFloatKernel(matrix.format);
    }
    const int64_t tiles = part.weights.tiles();
    pool.ParallelFor((tiles + kPackedAtOnce - 1) / kPackedAtOnce, [&](int64_t index, int) {
      const int64_t first = index * kPackedAtOnce;
      part.weights.PackTiles(matrix, first, std::min(kPackedAtOnce, tiles - first));
    });
    outputs_ += matrix.rows;
    tiles_ += part.weights.tiles();
  }
}

std::vector<const PackedWeights*> DecodeLinear::weights() const {
  std::vector<const PackedWeights*> all;
  for (const Part& part : parts_) all.push_back(&part.weights);
  return all;
}

void DecodeLinear::ResizeInput(int64_t rows, DecodeInput& x) const {
  x.rows_ = rows;
  x.columns_ = inputs();
  x.values_.Reserve(rows * inputs());
  if (x.quantized_.size() < orders_.size()) x.quantized_.resize(orders_.size());
  for (size_t i = 0; i < orders_.size(); ++i) {
    x.quantized_[i].Resize(rows, inputs(), !orders_[i].empty());
  }
}

void DecodeLinear::PrepareRow(int64_t row, DecodeInput& x) const {
  for (size_t i = 0; i < orders_.size(); ++i) {
    x.quantized_[i].SetRow(row, x.Row(row), orders_[i]);
  }
}

void DecodeLinear::Run(const DecodeInput& x, float* y, Output output, ThreadPool& pool) const {
  const int64_t share = std::max<int64_t>(1, tiles_ / (pool.threads() * kSharesPerThread));
  pool.ParallelFor((tiles_ + share - 1) / share, [&](int64_t index, int) {
    const int64_t end = std::min(tiles_, (index + 1) * share);
    for (int64_t tile = index * share; tile < end; ++tile) RunTile(tile, x, y, output);
  });
}

const DecodeLinear::Part& DecodeLinear::PartOf(int64_t tile) const {
  return *std::find_if(parts_.rbegin(), parts_.rend(),
                       [tile](const Part& part) { return part.first_tile <= tile; });
}

void DecodeLinear::RunTile(int64_t tile, const DecodeInput& x, float* y, Output output) const {
  const Part& part = PartOf(tile);
  const int64_t first = (tile - part.first_tile) * kTileOutputs;
  const std::byte* bytes = part.weights.Tile(tile - part.first_tile);
  const auto run = [&](int64_t row, int64_t count, float* out, int64_t stride) {
    if (part.quantized_kernel != nullptr) {
      part.quantized_kernel(bytes, x.quantized_[part.order], row, count, out, stride);
    } else {
      part.float_kernel(bytes, x.Row(row), inputs(), count, out, stride);
    }
  };
  y += part.first_output + first;
  const int64_t width = std::min<int64_t>(kTileOutputs, part.weights.outputs() - first);
  if (width == kTileOutputs && output == Output::kWrite) {
    run(0, x.rows(), y, outputs_);
    return;
  }
  alignas(64) float results[kAsideRows * kTileOutputs];
  for (int64_t row = 0; row < x.rows(); row += kAsideRows) {
    const int64_t count = std::min(kAsideRows, x.rows() - row);
    run(row, count, results, kTileOutputs);
    for (int64_t r = 0; r < count; ++r) {
      const float* from = results + r * kTileOutputs;
      float* to = y + (row + r) * outputs_;
      if (output == Output::kAdd) {
        AddTo(from, width, to);
      } else {
        std::copy_n(from, width, to);
      }
    }
  }
}

}  // namespace tandem::compute
