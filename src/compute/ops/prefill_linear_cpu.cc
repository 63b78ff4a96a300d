#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/prefill_linear.h"
#include "compute/ops/unpack_weights.h"

namespace tandem::compute {
namespace {

constexpr int64_t kGroup = PackedWeights::kTileOutputs;
// Two slabs of weights, as the next is fetched meanwhile, and the inputs of several tiles share a
// core's second-level cache.
constexpr int64_t kSlabBytes = 256 << 10;
constexpr int64_t kMaxSlabOutputs = 512;
constexpr int64_t kMinSlabOutputs = 64;
constexpr int64_t kLineBytes = 64;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

absl::Status CheckParts(std::span<const PackedWeights* const> parts, bool paired) {
  for (const PackedWeights* part : parts) {
    if (part->outputs() % kGroup != 0) {
      return absl::InvalidArgumentError(fmt::format(
          "a linear layer has {} outputs, expected a multiple of {}", part->outputs(), kGroup));
    }
    if (part->columns() != parts[0]->columns()) {
      return absl::InvalidArgumentError(
          fmt::format("parts of a linear layer have {} and {} inputs, expected the same number",
                      parts[0]->columns(), part->columns()));
    }
    if (paired && part->outputs() != parts[0]->outputs()) {
      return absl::InvalidArgumentError(
          fmt::format("parts of a linear layer have {} and {} outputs, expected the same number",
                      parts[0]->outputs(), part->outputs()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

/// The layer's outputs in groups of 16, which are the tiles of its parts. A slab holds consecutive
/// groups, or if the parts are paired, consecutive groups of each.
struct PrefillLinear::Impl {
  Impl(std::span<const PackedWeights* const> all_parts, const PrefillLinearOptions& options)
      : parts(all_parts.begin(), all_parts.end()),
        type(MatrixTypeFor(options.target)),
        kernel(FindMatrixKernel(options.target)),
        inputs(parts[0]->columns()),
        padded_inputs(PaddedInputs(inputs)),
        parts_in_slab(options.paired ? static_cast<int64_t>(parts.size()) : 1),
        slab_multiple(options.slab_multiple) {
    for (const PackedWeights* part : parts) outputs += part->outputs();
    cut_outputs = outputs / parts_in_slab;
    const int64_t fitting = kSlabBytes / static_cast<int64_t>(padded_inputs * SizeOf(type));
    const int64_t most = std::clamp(fitting, kMinSlabOutputs, kMaxSlabOutputs) / parts_in_slab;
    // Equal slabs; two at least, so that two threads can share the smallest prompt.
    const int64_t least_slabs = std::min<int64_t>(2, cut_outputs / kMinSlabOutputs);
    const int64_t slabs = std::max({(cut_outputs + most - 1) / most, least_slabs, int64_t{1}});
    width = RoundUp((cut_outputs + slabs - 1) / slabs, WidthMultiple());
  }

  /// So that all slabs but the last are whole panels.
  int64_t WidthMultiple() const {
    return std::lcm(slab_multiple,
                    std::max<int64_t>(kGroup, MatrixPanels::Outputs(type) / parts_in_slab));
  }
  int slabs() const { return static_cast<int>((cut_outputs + width - 1) / width); }
  /// Outputs of a slab, of each of its parts.
  int64_t Width(int slab) const { return std::min(width, cut_outputs - slab * width); }
  size_t SlabBytes(int slab) const {
    return MatrixPanels::Bytes(type, padded_inputs, Width(slab) * parts_in_slab);
  }

  void UnpackSlab(int slab, std::byte* panels) const {
    const int64_t count = Width(slab);
    for (int64_t output = 0; output < count * parts_in_slab; output += kGroup) {
      // The part, and the output in it, that stands at this place.
      size_t part = 0;
      int64_t in_part = slab * width + output % count;
      if (parts_in_slab > 1) {
        part = output / count;
      } else {
        while (in_part >= parts[part]->outputs()) in_part -= parts[part++]->outputs();
      }
      UnpackTile(*parts[part], in_part / kGroup, type,
                 panels + MatrixPanels::Offset(type, padded_inputs, output));
    }
  }

  void CopySlabs(ThreadPool& pool) {
    copies.resize(slabs());
    pool.ParallelFor(slabs(), [this](int64_t slab, int) {
      copies[slab] = AlignedBuffer<std::byte>(SlabBytes(static_cast<int>(slab)));
      UnpackSlab(static_cast<int>(slab), copies[slab].data());
    });
  }

  std::vector<const PackedWeights*> parts;
  MatrixType type;
  MatrixKernel kernel;
  int64_t inputs, padded_inputs;
  int64_t outputs = 0;
  int64_t parts_in_slab;
  int64_t slab_multiple;
  int64_t cut_outputs;  // What is cut into slabs: all outputs, or those of each paired part.
  int64_t width;        // Of all slabs but the last, a share of cut_outputs.
  std::vector<AlignedBuffer<std::byte>> copies;  // By slab; empty without a copy.
};

absl::StatusOr<PrefillLinear> PrefillLinear::Create(std::span<const PackedWeights* const> parts,
                                                    const PrefillLinearOptions& options,
                                                    ThreadPool& pool) {
  RETURN_IF_ERROR(CheckParts(parts, options.paired));
  auto impl = std::make_unique<Impl>(parts, options);
  if (options.keep_copy) impl->CopySlabs(pool);
  return PrefillLinear(std::move(impl));
}

PrefillLinear::PrefillLinear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrefillLinear::~PrefillLinear() = default;
PrefillLinear::PrefillLinear(PrefillLinear&&) noexcept = default;
PrefillLinear& PrefillLinear::operator=(PrefillLinear&&) noexcept = default;

int64_t PrefillLinear::inputs() const { return impl_->inputs; }
int64_t PrefillLinear::outputs() const { return impl_->outputs; }
int PrefillLinear::slabs() const { return impl_->slabs(); }
MatrixType PrefillLinear::input_type() const { return impl_->type; }
bool PrefillLinear::has_copy() const { return !impl_->copies.empty(); }

std::span<const std::byte> PrefillLinear::SlabMemory(int slab) const {
  if (!has_copy()) return {};
  return {impl_->copies[slab].data(), impl_->copies[slab].size()};
}

void PrefillLinear::RunSlab(
    int slab, std::span<const PrefillTile> tiles, PrefillLinearScratch& scratch,
    std::span<const std::byte> upcoming,
    absl::FunctionRef<void(int tile, const SlabOutputs& outputs)> sink) const {
  const std::byte* panels = SlabMemory(slab).data();
  if (!has_copy()) {
    scratch.panels.Reserve(impl_->SlabBytes(slab));
    impl_->UnpackSlab(slab, scratch.panels.data());
    panels = scratch.panels.data();
  }
  const int64_t count = impl_->Width(slab), outputs = count * impl_->parts_in_slab;
  const int64_t stride = RoundUp(outputs, MatrixPanels::Outputs(impl_->type));
  scratch.y.Reserve(kTileRows * stride);
  const size_t share = RoundUp(upcoming.size() / tiles.size(), kLineBytes);
  for (size_t i = 0; i < tiles.size(); ++i) {
    MatrixProduct product;
    product.x = tiles[i].x;
    product.x_stride = product.inputs = product.panel_inputs = impl_->padded_inputs;
    product.rows = static_cast<int>(RoundUp(tiles[i].rows, kMatrixRowMultiple));
    product.panels = panels;
    product.outputs = outputs;
    product.y = scratch.y.data();
    product.y_stride = stride;
    product.upcoming = upcoming.subspan(std::min(i * share, upcoming.size()));
    product.upcoming = product.upcoming.first(std::min(share, product.upcoming.size()));
    impl_->kernel(product);
    sink(static_cast<int>(i),
         {scratch.y.data(), stride, tiles[i].rows, slab * impl_->width, count});
  }
}

}  // namespace tandem::compute
