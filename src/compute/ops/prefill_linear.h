#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "compute/aligned_buffer.h"
#include "compute/cpu_features.h"
#include "compute/ops/matrix_input.h"
#include "compute/ops/packed_weights.h"

namespace tandem::compute {

/// Up to 64 rows of x: [rows, PaddedInputs(inputs)] of the matrix type, zeros after the last input.
/// The memory is that of 64 rows; those after `rows` may hold any numbers.
struct PrefillTile {
  const std::byte* x = nullptr;
  int rows = 0;
};

/// What a slab gives for one tile; valid during the call that hands it over.
struct SlabOutputs {
  float* y = nullptr;  ///< [rows, stride]; may be overwritten.
  int64_t stride = 0;
  int rows = 0;
  /// Outputs [first, first + count) of the layer. Of one whose parts are paired: of each part, the
  /// second part's `count` columns after those of the first.
  int64_t first = 0;
  int64_t count = 0;
};

/// Memory that one thread works in; for any number of layers.
struct PrefillLinearScratch {
  AlignedBuffer<float> y;
  AlignedBuffer<std::byte> panels;
};

struct PrefillLinearOptions {
  CpuTarget target = CpuTarget::kPortable;
  /// The parts are multiplied side by side, so that a slab's outputs can be combined at once.
  bool paired = false;
  /// Keeps a copy of the weights dequantised and laid out for the matrix units: 2 bytes a weight
  /// (4 without bfloat16). Without it, each run of a slab unpacks its weights into the thread's
  /// scratch memory, which costs about as much as multiplying 16 to 32 rows: take many tiles a run.
  /// The results are the same bits.
  bool keep_copy = true;
  /// A slab's outputs, of each of its parts, are a multiple of this.
  int64_t slab_multiple = 1;
};

/// y = x Wᵀ for tokens of prompts: tiles of up to 64 rows times slabs of outputs. A row's result
/// depends on neither the other rows of the tile, nor its place in it, nor the number of threads.
class PrefillLinear {
 public:
  static constexpr int kTileRows = 64;

  /// W is the parts one below the other. They have the same number of columns, and each a multiple
  /// of 16 outputs; paired ones have equally many. Without a copy they must outlive the layer. The
  /// pool's threads may run slabs at once. InvalidArgument names a size that does not fit.
  static absl::StatusOr<PrefillLinear> Create(std::span<const PackedWeights* const> parts,
                                              const PrefillLinearOptions& options,
                                              ThreadPool& pool);
  ~PrefillLinear();
  PrefillLinear(PrefillLinear&&) noexcept;
  PrefillLinear& operator=(PrefillLinear&&) noexcept;

  int64_t inputs() const;
  int64_t outputs() const;  ///< Of all parts.
  int slabs() const;
  MatrixType input_type() const;
  bool has_copy() const;
  /// The copy's; empty without one.
  std::span<const std::byte> SlabMemory(int slab) const;

  /// Multiplies tiles by one slab and hands the outputs of each over, one tile after the other.
  /// `scratch` is memory of the calling thread, and `upcoming` what it is going to read next
  /// (SlabMemory()), which may be brought into its cache meanwhile.
  void RunSlab(int slab, std::span<const PrefillTile> tiles, PrefillLinearScratch& scratch,
               std::span<const std::byte> upcoming,
               absl::FunctionRef<void(int tile, const SlabOutputs& outputs)> sink) const;

 private:
  struct Impl;
  explicit PrefillLinear(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::compute
