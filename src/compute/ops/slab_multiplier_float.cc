#include "compute/ops/slab_multiplier.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/slab_multiplier_float.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "compute/aligned_buffer.h"
#include "compute/ops/packed_weights.h"
#include "compute/ops/prefill_linear.h"
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

constexpr int kOutputs = PackedWeights::kTileOutputs;

/// kRows rows of x times one tile of weights [inputs][16]; kVectors vectors hold 16 outputs.
template <int kVectors, int kRows>
HWY_INLINE void MultiplyRows(const float* weights, const float* x, int64_t inputs, float* y,
                             int64_t y_stride) {
  const hn::CappedTag<float, kOutputs> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<decltype(d)> sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  for (int64_t k = 0; k < inputs; ++k, weights += kOutputs) {
    hn::Vec<decltype(d)> w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = hn::Load(d, weights + v * lanes);
    for (int r = 0; r < kRows; ++r) {
      const auto value = hn::Set(d, x[r * inputs + k]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(w[v], value, sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, y + r * y_stride + v * lanes);
  }
}

/// All rows of a tile of x; y [64, y_stride].
void MultiplyTile(const float* weights, const float* x, int64_t inputs, float* y,
                  int64_t y_stride) {
  constexpr int kLanes = hn::MaxLanes(hn::CappedTag<float, kOutputs>());
  constexpr int kVectors = kOutputs / kLanes;
  // As many rows as the registers take, in a number that divides 64.
  constexpr int kRows = kVectors == 1 ? 16 : kVectors == 2 ? 4 : 2;
  for (int row = 0; row < PrefillLinear::kTileRows; row += kRows) {
    MultiplyRows<kVectors, kRows>(weights, x + row * inputs, inputs, y + row * y_stride, y_stride);
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <optional>
#include <vector>

namespace tandem::compute {
namespace {

HWY_EXPORT(MultiplyTile);

constexpr int kTileOutputs = PackedWeights::kTileOutputs;
constexpr int kTileRows = PrefillLinear::kTileRows;

class FloatMultiplier : public SlabMultiplier {
 public:
  FloatMultiplier(std::span<const WeightMatrix> parts, const SlabLayout& layout, ThreadPool& pool)
      : layout_(layout), slabs_(layout.count()) {
    pool.ParallelFor(layout.count(),
                     [&](int64_t slab, int) { Pack(parts, static_cast<int>(slab)); });
  }

  void RunSlab(int slab, const std::byte* x, float* y, int) const override {
    const float* inputs = reinterpret_cast<const float*>(x);
    const PackedWeights& weights = *slabs_[slab];
    y += layout_.First(slab);
    for (int64_t tile = 0; tile < weights.tiles(); ++tile, y += kTileOutputs) {
      const float* tile_weights = reinterpret_cast<const float*>(weights.Tile(tile));
      const int64_t width =
          std::min<int64_t>(kTileOutputs, weights.outputs() - tile * kTileOutputs);
      if (width == kTileOutputs) {
        Multiply(tile_weights, inputs, y, layout_.outputs);
        continue;
      }
      float tail[kTileRows * kTileOutputs];
      Multiply(tile_weights, inputs, tail, kTileOutputs);
      for (int row = 0; row < kTileRows; ++row) {
        std::copy_n(tail + row * kTileOutputs, width, y + row * layout_.outputs);
      }
    }
  }

 private:
  void Multiply(const float* weights, const float* x, float* y, int64_t y_stride) const {
    HWY_DYNAMIC_DISPATCH(MultiplyTile)(weights, x, layout_.inputs, y, y_stride);
  }

  void Pack(std::span<const WeightMatrix> parts, int slab) {
    const int64_t width = layout_.Width(slab);
    AlignedBuffer<std::byte> rows(width * layout_.inputs * SizeOf(MatrixType::kFloat32));
    GatherRows(parts, layout_.First(slab), width, MatrixType::kFloat32, rows.data());
    const WeightMatrix matrix{WeightFormat::kFloat32, width, layout_.inputs, rows.data()};
    PackedWeights& packed = slabs_[slab].emplace(matrix);
    for (int64_t tile = 0; tile < packed.tiles(); ++tile) packed.PackTile(matrix, tile);
  }

  const SlabLayout layout_;
  std::vector<std::optional<PackedWeights>> slabs_;
};

}  // namespace

std::unique_ptr<SlabMultiplier> MakeFloatMultiplier(std::span<const WeightMatrix> parts,
                                                    const SlabLayout& layout, ThreadPool& pool) {
  return std::make_unique<FloatMultiplier>(parts, layout, pool);
}

}  // namespace tandem::compute
#endif
