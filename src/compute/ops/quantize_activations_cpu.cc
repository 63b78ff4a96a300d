#include "compute/ops/quantize_activations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/quantize_activations_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

constexpr float kLargestQuant = 127.0f * 256.0f;

/// Returns the block's scale; writes 32 high and 32 low quants and the sums of each half.
float QuantizeBlock(const float* values, int8_t* quants, int32_t* half_sums) {
  const hn::CappedTag<float, 16> d;
  const hn::Rebind<int32_t, decltype(d)> di32;
  const hn::Rebind<int8_t, decltype(d)> di8;
  const int lanes = static_cast<int>(hn::Lanes(d));

  auto magnitude = hn::Zero(d);
  for (int i = 0; i < kQuantBlock; i += lanes) {
    magnitude = hn::Max(magnitude, hn::Abs(hn::LoadU(d, values + i)));
  }
  const float largest = hn::GetLane(hn::MaxOfLanes(d, magnitude));
  const auto inverse = hn::Set(d, largest > 0.0f ? kLargestQuant / largest : 0.0f);
  auto sums = hn::Zero(di32);
  for (int i = 0; i < kQuantBlock; i += lanes) {
    if (i == kQuantBlock / 2) {
      half_sums[0] = hn::GetLane(hn::SumOfLanes(di32, sums));
      sums = hn::Zero(di32);
    }
    const auto quant = hn::NearestInt(hn::Mul(hn::LoadU(d, values + i), inverse));
    const auto high = hn::ShiftRight<8>(hn::Add(quant, hn::Set(di32, 128)));
    // The kernels negate bytes, which -128 does not survive.
    const auto low = hn::Max(hn::Sub(quant, hn::ShiftLeft<8>(high)), hn::Set(di32, -127));
    sums = hn::Add(sums, hn::Add(hn::ShiftLeft<8>(high), low));
    hn::StoreU(hn::DemoteTo(di8, high), di8, quants + i);
    hn::StoreU(hn::DemoteTo(di8, low), di8, quants + kQuantBlock + i);
  }
  half_sums[1] = hn::GetLane(hn::SumOfLanes(di32, sums));
  return largest / kLargestQuant;
}

void QuantizeRow(const float* values, int64_t blocks, int8_t* quants, float* scales, int32_t* sums,
                 int32_t* half_sums, float* scaled_sums) {
  for (int64_t b = 0; b < blocks; ++b) {
    scales[b] =
        QuantizeBlock(values + b * kQuantBlock, quants + b * 2 * kQuantBlock, half_sums + 2 * b);
    sums[b] = half_sums[2 * b] + half_sums[2 * b + 1];
    scaled_sums[b] = scales[b] * static_cast<float>(sums[b]);
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(QuantizeRow);

void QuantizedActivations::Resize(int64_t rows, int64_t new_columns, bool reorder) {
  columns = new_columns;
  quants.Reserve(rows * columns * 2);
  scales.Reserve(rows * blocks());
  sums.Reserve(rows * blocks());
  half_sums.Reserve(rows * blocks() * 2);
  scaled_sums.Reserve(rows * blocks());
  if (reorder) reordered.Reserve(rows * columns);
}

void QuantizedActivations::SetRow(int64_t row, const float* values,
                                  std::span<const int32_t> order) {
  if (!order.empty()) {
    float* in_order = reordered.data() + row * columns;
    for (int64_t i = 0; i < columns; ++i) in_order[i] = values[order[i]];
    values = in_order;
  }
  const int64_t block = row * blocks();
  HWY_DYNAMIC_DISPATCH(QuantizeRow)
  (values, blocks(), quants.data() + row * columns * 2, scales.data() + block, sums.data() + block,
   half_sums.data() + 2 * block, scaled_sums.data() + block);
}

}  // namespace tandem::compute
#endif
