#include <algorithm>
#include <utility>
#include <vector>

#include "base/status.h"
#include "compute/ops/prefill_linear.h"
#include "compute/ops/slab_multiplier.h"

namespace tandem::compute {
namespace {

constexpr int64_t kMaxSlabOutputs = 512;
constexpr int64_t kSlabMultiple = 32;

}  // namespace

SlabLayout::SlabLayout(std::span<const WeightMatrix> parts) : inputs(parts[0].columns) {
  for (const WeightMatrix& part : parts) outputs += part.rows;
  // Two at least, so that two threads can share the smallest tile.
  const int64_t slabs = std::max({(outputs + kMaxSlabOutputs - 1) / kMaxSlabOutputs,
                                  std::min<int64_t>(2, outputs / kSlabMultiple), int64_t{1}});
  const int64_t least = (outputs + slabs - 1) / slabs;
  width = (least + kSlabMultiple - 1) / kSlabMultiple * kSlabMultiple;
}

void GatherRows(std::span<const WeightMatrix> parts, int64_t first, int64_t count, MatrixType type,
                std::byte* out) {
  std::vector<float> row(parts[0].columns);
  const size_t row_bytes = row.size() * SizeOf(type);
  for (const WeightMatrix& part : parts) {
    for (int64_t i = std::max<int64_t>(first, 0); i < std::min(first + count, part.rows); ++i) {
      DequantizeRow(part.format, part.Row(i), part.columns, row.data());
      StoreMatrixInput(type, row.data(), part.columns, out + (i - first) * row_bytes);
    }
    first -= part.rows;
  }
}

struct PrefillLinear::Impl {
  SlabLayout layout;
  MatrixType type;
  std::unique_ptr<SlabMultiplier> multiplier;
};

absl::StatusOr<PrefillLinear> PrefillLinear::Create(std::span<const WeightMatrix> parts,
                                                    MatrixType type, ThreadPool& pool) {
  const SlabLayout layout(parts);
  std::unique_ptr<SlabMultiplier> multiplier;
  if (type == MatrixType::kBFloat16) {
    ASSIGN_OR_RETURN(multiplier, MakeOneDnnMultiplier(parts, layout, pool));
  } else {
    multiplier = MakeFloatMultiplier(parts, layout, pool);
  }
  return PrefillLinear(std::unique_ptr<Impl>(new Impl{layout, type, std::move(multiplier)}));
}

PrefillLinear::PrefillLinear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrefillLinear::~PrefillLinear() = default;
PrefillLinear::PrefillLinear(PrefillLinear&&) noexcept = default;
PrefillLinear& PrefillLinear::operator=(PrefillLinear&&) noexcept = default;

int64_t PrefillLinear::inputs() const { return impl_->layout.inputs; }
int64_t PrefillLinear::outputs() const { return impl_->layout.outputs; }
int PrefillLinear::slabs() const { return impl_->layout.count(); }
MatrixType PrefillLinear::input_type() const { return impl_->type; }

void PrefillLinear::RunSlab(int slab, const std::byte* x, float* y, int thread) const {
  impl_->multiplier->RunSlab(slab, x, y, thread);
}

}  // namespace tandem::compute
