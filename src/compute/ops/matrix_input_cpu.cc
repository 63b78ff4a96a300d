#include "compute/ops/matrix_input.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/matrix_input_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cstring>

#include "compute/float_conversion.h"
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

void StoreBFloat16(const float* values, int64_t count, uint16_t* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    StoreRounded(hn::LoadU(d, values + i), AsBFloat16(out) + i);
  for (; i < count; ++i) out[i] = FloatToBFloat16(values[i]);
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(StoreBFloat16);

void StoreMatrixInput(MatrixType type, const float* values, int64_t count, std::byte* out) {
  if (type == MatrixType::kFloat32) {
    std::memcpy(out, values, count * sizeof(float));
  } else {
    HWY_DYNAMIC_DISPATCH(StoreBFloat16)(values, count, reinterpret_cast<uint16_t*>(out));
  }
}

}  // namespace tandem::compute
#endif
