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
  const hn::Rebind<hwy::float16_t, hn::DFromV<V>> d16;
  hn::StoreU(hn::DemoteTo(d16, v), d16, out);
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
