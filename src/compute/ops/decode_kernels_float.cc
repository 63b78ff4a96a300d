#include "compute/ops/decode_kernels.h"
#include "compute/ops/packed_weights.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/decode_kernels_float.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

/// `kVectors` vectors of outputs and `kRows` rows. Even and odd inputs are summed apart.
template <int kVectors, int kRows, typename T>
void RunFloatRows(const T* weights, const float* x, int64_t columns, float* y, int64_t y_stride) {
  const hn::CappedTag<float, PackedWeights::kTileOutputs> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  hn::Vec<decltype(d)> even[kRows][kVectors], odd[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) even[r][v] = odd[r][v] = hn::Zero(d);
  }
  const auto add = [&](int64_t k, auto& sums) HWY_ATTR {
    for (int v = 0; v < kVectors; ++v) {
      const auto w = LoadFloats(d, weights + k * PackedWeights::kTileOutputs + v * lanes);
      for (int r = 0; r < kRows; ++r) {
        sums[r][v] = hn::MulAdd(w, hn::Set(d, x[r * columns + k]), sums[r][v]);
      }
    }
  };
  int64_t k = 0;
  constexpr int64_t kOutputs = PackedWeights::kTileOutputs;
  for (; k + 2 <= columns; k += 2) {
    FetchWeightsAfter<2 * kOutputs * sizeof(T)>(
        reinterpret_cast<const std::byte*>(weights + k * kOutputs));
    add(k, even);
    add(k + 1, odd);
  }
  if (k < columns) add(k, even);
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(hn::Add(even[r][v], odd[r][v]), d, y + r * y_stride + v * lanes);
    }
  }
}

template <typename T>
void RunFloatTile(const std::byte* tile, const float* x, int64_t columns, int64_t rows, float* y,
                  int64_t y_stride) {
  const hn::CappedTag<float, PackedWeights::kTileOutputs> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const T* weights = reinterpret_cast<const T*>(tile);
  for (int o = 0; o < PackedWeights::kTileOutputs; o += lanes, weights += lanes, y += lanes) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      RunFloatRows<1, 4>(weights, x + r * columns, columns, y + r * y_stride, y_stride);
    }
    for (; r < rows; ++r) {
      RunFloatRows<1, 1>(weights, x + r * columns, columns, y + r * y_stride, y_stride);
    }
  }
}

FloatTileKernel FloatKernel(WeightFormat format) {
  switch (format) {
    case WeightFormat::kFloat32:
      return RunFloatTile<float>;
    case WeightFormat::kFloat16:
      return RunFloatTile<hwy::float16_t>;
    default:
      return RunFloatTile<hwy::bfloat16_t>;
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(FloatKernel);

FloatTileKernel FindFloatKernel(WeightFormat format) {
  return HWY_DYNAMIC_DISPATCH(FloatKernel)(format);
}

}  // namespace tandem::compute
#endif
