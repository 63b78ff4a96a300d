#include "compute/ops/matrix_kernel.h"

namespace tandem::compute {

MatrixKernel FindMatrixKernel(CpuTarget target) {
  if (target < CpuTarget::kAvx512Bf16) return FindFloatMatrixKernel();
  if (target >= CpuTarget::kAmx) {
    if (const MatrixKernel kernel = FindAmxMatrixKernel()) return kernel;
  }
  return FindAvx512Bf16MatrixKernel();
}

}  // namespace tandem::compute
