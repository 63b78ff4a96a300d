#include "compute/ops/silu_mul.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/silu_mul_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cmath>

#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

void SiluMulRow(const float* gate, const float* up, int64_t count, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0f);
  // Beyond this exp overflows, and the result is 0 in float32 anyway.
  const auto largest = hn::Set(d, 88.0f);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::LoadU(d, gate + i);
    const auto denominator = hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(g), largest)));
    hn::StoreU(hn::Mul(hn::Div(g, denominator), hn::LoadU(d, up + i)), d, y + i);
  }
  for (; i < count; ++i) y[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(SiluMulRow);

void SiluMul(const float* gate, const float* up, int64_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(SiluMulRow)(gate, up, count, y);
}

void SiluMulInput(MatrixType type, const float* gate, const float* up, int64_t count,
                  std::byte* out) {
  if (type == MatrixType::kBFloat16) return SiluMulBf16(gate, up, count, out);
  SiluMul(gate, up, count, reinterpret_cast<float*>(out));
}

}  // namespace tandem::compute
#endif
