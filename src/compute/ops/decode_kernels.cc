#include "compute/ops/decode_kernels.h"

namespace tandem::compute {

QuantizedTileKernel FindQuantizedKernel(WeightFormat format, CpuTarget target) {
  if (IsGrouped(format)) {
    if (target >= CpuTarget::kAvx512Vnni) return FindGroupedAvx512VnniKernel(format);
    if (target >= CpuTarget::kAvx2) return FindGroupedAvx2Kernel(format);
    return FindGroupedPortableKernel(format);
  }
  if (target >= CpuTarget::kAvx512Vnni) return FindAvx512VnniKernel(format);
  if (target >= CpuTarget::kAvx2) return FindAvx2Kernel(format);
  return FindPortableKernel(format);
}

}  // namespace tandem::compute
