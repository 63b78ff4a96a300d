#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "absl/status/status.h"
#include "base/log.h"
#include "compute/ops/matrix_kernel.h"
#include "compute/ops/slab_multiplier.h"

// The OpenMP runtime that oneDNN links; they concern the calling thread's loops.
extern "C" void omp_set_num_threads(int threads);
extern "C" int omp_get_max_threads();

namespace tandem::compute {
namespace {

using Memory = dnnl::memory;

constexpr int kTileRows = PrefillLinear::kTileRows;
constexpr int64_t kPanel = MatrixPanels::Outputs(MatrixType::kBFloat16);
constexpr Memory::data_type kType = Memory::data_type::bf16;

/// Makes oneDNN prepare kernels for one thread, whose blocking is then the same everywhere, and run
/// them on the calling thread.
class OneThreadScope {
 public:
  OneThreadScope() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThreadScope() { omp_set_num_threads(threads_); }
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  const int threads_;
};

class OneDnnMultiplier : public SlabMultiplier {
 public:
  /// Throws dnnl::error.
  OneDnnMultiplier(int64_t inputs, std::span<const int64_t> outputs, int threads);

  void Multiply(const PrefillTile& tile, const std::byte* panels, int64_t outputs, float* y,
                int64_t y_stride, int thread) const override;

 private:
  /// What one thread multiplies with.
  struct ThreadMemory {
    Memory x, weights, y, scratchpad;
    dnnl::stream stream;
  };
  struct Shape {
    int64_t padded_outputs;
    dnnl::matmul kernel;
    std::vector<ThreadMemory> threads;  // Changed by the thread that each belongs to.
  };

  Shape Prepare(int64_t inputs, int64_t padded_outputs, int threads) const;

  const dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  mutable std::vector<Shape> shapes_;
};

OneDnnMultiplier::OneDnnMultiplier(int64_t inputs, std::span<const int64_t> outputs, int threads) {
  const OneThreadScope one_thread;
  for (const int64_t count : outputs) {
    const int64_t padded = (count + kPanel - 1) / kPanel * kPanel;
    const bool known = std::any_of(shapes_.begin(), shapes_.end(), [padded](const Shape& shape) {
      return shape.padded_outputs == padded;
    });
    if (!known) shapes_.push_back(Prepare(inputs, padded, threads));
  }
}

OneDnnMultiplier::Shape OneDnnMultiplier::Prepare(int64_t inputs, int64_t padded_outputs,
                                                  int threads) const {
  const Memory::desc x({kTileRows, inputs}, kType, Memory::format_tag::ab);
  const Memory::desc w({inputs, padded_outputs}, kType, Memory::format_tag::BA16a64b2a);
  const Memory::desc y({kTileRows, padded_outputs}, Memory::data_type::f32, Memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), attributes, engine_);
  Shape shape{padded_outputs, dnnl::matmul(description), {}};
  for (int thread = 0; thread < threads; ++thread) {
    shape.threads.push_back(
        {Memory(x, engine_, nullptr), Memory(w, engine_, nullptr), Memory(y, engine_, nullptr),
         Memory(description.scratchpad_desc(), engine_), dnnl::stream(engine_)});
  }
  return shape;
}

void OneDnnMultiplier::Multiply(const PrefillTile& tile, const std::byte* panels, int64_t outputs,
                                float* y, int64_t y_stride, int thread) const {
  const int64_t padded = (outputs + kPanel - 1) / kPanel * kPanel;
  const auto shape = std::find_if(shapes_.begin(), shapes_.end(), [padded](const Shape& known) {
    return known.padded_outputs == padded;
  });
  if (shape == shapes_.end() || y_stride != padded) {
    spdlog::critical("a product of {} outputs was not prepared for oneDNN", outputs);
    std::abort();
  }
  ThreadMemory& memory = shape->threads[thread];
  // Memory without padding: setting a handle touches no data.
  dnnl_memory_set_data_handle(memory.x.get(), const_cast<std::byte*>(tile.x));
  dnnl_memory_set_data_handle(memory.weights.get(), const_cast<std::byte*>(panels));
  dnnl_memory_set_data_handle(memory.y.get(), y);
  const std::array<dnnl_exec_arg_t, 4> arguments = {{
      {DNNL_ARG_SRC, memory.x.get()},
      {DNNL_ARG_WEIGHTS, memory.weights.get()},
      {DNNL_ARG_DST, memory.y.get()},
      {DNNL_ARG_SCRATCHPAD, memory.scratchpad.get()},
  }};
  const dnnl_status_t status =
      dnnl_primitive_execute(shape->kernel.get(), memory.stream.get(),
                             static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success) {
    // A kernel that was prepared runs; one that does not would leave wrong numbers.
    spdlog::critical("oneDNN failed in a matrix product with status {}", static_cast<int>(status));
    std::abort();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SlabMultiplier>> MakeOneDnnMultiplier(
    int64_t inputs, std::span<const int64_t> outputs, int threads) {
  try {
    return std::make_unique<OneDnnMultiplier>(inputs, outputs, threads);
  } catch (const dnnl::error& error) {
    return absl::InternalError(
        fmt::format("oneDNN cannot prepare a product of {} inputs: {}", inputs, error.what()));
  }
}

}  // namespace tandem::compute
