#include "compute/ops/prefill_attention.h"

#include <algorithm>

#include "compute/ops/matrix_kernel.h"

namespace tandem::compute {

int PrefillAttentionTileTokens(const AttentionShape& shape, MatrixType type) {
  // Each tile converts the keys and values that it reads, which more rows share.
  const int rows = type == MatrixType::kBFloat16 ? 384 : 96;
  const int least_tokens = type == MatrixType::kBFloat16 ? 32 : 8;
  return std::max(least_tokens, rows / shape.group());
}

PrefillAttentionKernel FindPrefillAttention(CpuTarget target) {
  if (MatrixTypeFor(target) == MatrixType::kFloat32) return FindFloatPrefillAttention();
  const bool has_amx = target >= CpuTarget::kAmx && FindAmxMatrixKernel() != nullptr;
  return has_amx ? FindAmxPrefillAttention() : FindBf16PrefillAttention();
}

}  // namespace tandem::compute
