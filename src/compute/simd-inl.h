// Vector helpers of the kernels, compiled once for each Highway target.
#if defined(TANDEM_COMPUTE_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_COMPUTE_SIMD_INL_H_
#undef TANDEM_COMPUTE_SIMD_INL_H_
#else
#define TANDEM_COMPUTE_SIMD_INL_H_
#endif

#include <cstdint>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE hwy::bfloat16_t* AsBFloat16(uint16_t* values) {
  return reinterpret_cast<hwy::bfloat16_t*>(values);
}

/// Loads elements of any of the KV cache's types as floats.
template <class D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const float* values) {
  return hn::LoadU(d, values);
}

template <class D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const hwy::float16_t* values) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, D>(), values));
}

template <class D>
HWY_INLINE hn::Vec<D> LoadFloats(D d, const hwy::bfloat16_t* values) {
  const hn::Rebind<uint32_t, D> d32;
  const hn::Rebind<uint16_t, D> d16;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(values));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
}

/// Stores floats in any of the KV cache's types, rounded to nearest, ties to even.
template <class V>
HWY_INLINE void StoreRounded(V v, float* out) {
  hn::StoreU(v, hn::DFromV<V>(), out);
}

template <class V>
HWY_INLINE void StoreRounded(V v, hwy::float16_t* out) {
  const hn::DFromV<V> d;
#if HWY_TARGET <= HWY_AVX2
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, out);
#else
  // Without F16C, Highway truncates. Rounds in the integers that the bits are.
  const hn::Rebind<int32_t, decltype(d)> di32;
  const hn::Rebind<uint16_t, decltype(d)> du16;
  const auto magnitude = hn::Abs(v);
  const auto bits = hn::BitCast(di32, magnitude);
  const auto sign = hn::ShiftRight<16>(hn::BitCast(di32, hn::Xor(v, magnitude)));
  const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(di32, 1));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(di32, 0xfff - (112 << 23))), odd);
  const auto normal = hn::Min(hn::ShiftRight<13>(rounded), hn::Set(di32, 0x7c00));
  // Adding 1/2 leaves a multiple of 2^-24, rounded, in the lowest bits.
  const auto half = hn::Set(d, 0.5f);
  const auto subnormal =
      hn::Sub(hn::BitCast(di32, hn::Add(magnitude, half)), hn::BitCast(di32, half));
  const auto is_subnormal = hn::Lt(bits, hn::Set(di32, 113 << 23));
  const auto result =
      hn::Or(hn::IfThenElse(is_subnormal, subnormal, normal), hn::And(sign, hn::Set(di32, 0x8000)));
  hn::StoreU(hn::DemoteTo(du16, result), du16, reinterpret_cast<uint16_t*>(out));
#endif
}

template <class V>
HWY_INLINE void StoreRounded(V v, hwy::bfloat16_t* out) {
  // Highway's own conversion truncates.
  const hn::Rebind<uint32_t, hn::DFromV<V>> d32;
  const hn::Rebind<uint16_t, hn::DFromV<V>> d16;
  const auto bits = hn::BitCast(d32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(d32, 0x7fff)), odd));
  const hn::Rebind<int32_t, hn::DFromV<V>> di32;
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di32, rounded)), d16, reinterpret_cast<uint16_t*>(out));
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
