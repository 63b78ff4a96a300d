#include "compute/ops/kv_write.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/kv_write_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

template <typename T>
void WriteRounded(const float* values, int64_t count, std::byte* bytes) {
  const hn::CappedTag<float, 16> d;
  const hn::CappedTag<float, 1> one;
  T* out = reinterpret_cast<T*>(bytes);
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) StoreRounded(hn::LoadU(d, values + i), out + i);
  for (; i < count; ++i) StoreRounded(hn::LoadU(one, values + i), out + i);
}

void WriteKvValues(DataType type, const float* values, int64_t count, std::byte* out) {
  switch (type) {
    case DataType::kFloat32:
      return WriteRounded<float>(values, count, out);
    case DataType::kFloat16:
      return WriteRounded<hwy::float16_t>(values, count, out);
    case DataType::kBFloat16:
      return WriteRounded<hwy::bfloat16_t>(values, count, out);
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::compute {

HWY_EXPORT(WriteKvValues);

void WriteKv(DataType type, const float* values, int64_t count, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(WriteKvValues)(type, values, count, out);
}

}  // namespace tandem::compute
#endif
