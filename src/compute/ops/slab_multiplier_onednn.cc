#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "absl/status/status.h"
#include "base/log.h"
#include "compute/aligned_buffer.h"
#include "compute/ops/prefill_linear.h"
#include "compute/ops/slab_multiplier.h"

// The OpenMP runtime that oneDNN links; they concern the calling thread's loops.
extern "C" void omp_set_num_threads(int threads);
extern "C" int omp_get_max_threads();

namespace tandem::compute {
namespace {

using Memory = dnnl::memory;

constexpr int kTileRows = PrefillLinear::kTileRows;
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
  OneDnnMultiplier(std::span<const WeightMatrix> parts, const SlabLayout& layout, ThreadPool& pool);

  void RunSlab(int slab, const std::byte* x, float* y, int thread) const override;

 private:
  struct Slab {
    AlignedBuffer<std::byte> weights;
    Memory weights_memory;
    dnnl::matmul kernel;
  };
  /// What one thread runs a slab with. The last slab may have another shape.
  struct ThreadMemory {
    AlignedBuffer<float> dense_y;
    Memory x, y, last_y;
    AlignedBuffer<std::byte> scratchpad_bytes;
    Memory scratchpad, last_scratchpad;
    dnnl::stream stream;
  };

  dnnl::matmul::primitive_desc Describe(int64_t slab_outputs) const;
  void Pack(std::span<const WeightMatrix> parts, int slab_index);
  void PrepareThreads(int threads);

  const SlabLayout layout_;
  const dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::vector<Slab> slabs_;
  // Changed by the thread that each belongs to.
  mutable std::vector<ThreadMemory> thread_memory_;
};

OneDnnMultiplier::OneDnnMultiplier(std::span<const WeightMatrix> parts, const SlabLayout& layout,
                                   ThreadPool& pool)
    : layout_(layout), slabs_(layout.count()) {
  std::vector<std::exception_ptr> errors(slabs_.size());
  pool.ParallelFor(layout.count(), [&](int64_t i, int) {
    try {
      const OneThreadScope one_thread;
      Pack(parts, static_cast<int>(i));
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error != nullptr) std::rethrow_exception(error);
  }
  const OneThreadScope one_thread;
  PrepareThreads(pool.threads());
}

void OneDnnMultiplier::PrepareThreads(int threads) {
  const auto first = Describe(layout_.Width(0));
  const auto last = Describe(layout_.Width(layout_.count() - 1));
  const size_t scratchpad_bytes =
      std::max(first.scratchpad_desc().get_size(), last.scratchpad_desc().get_size());
  thread_memory_.resize(threads);
  for (ThreadMemory& memory : thread_memory_) {
    memory.x = Memory(first.src_desc(), engine_, nullptr);
    memory.dense_y = AlignedBuffer<float>(kTileRows * layout_.width);
    memory.y = Memory(first.dst_desc(), engine_, memory.dense_y.data());
    memory.last_y = Memory(last.dst_desc(), engine_, memory.dense_y.data());
    memory.scratchpad_bytes = AlignedBuffer<std::byte>(scratchpad_bytes);
    memory.scratchpad = Memory(first.scratchpad_desc(), engine_, memory.scratchpad_bytes.data());
    memory.last_scratchpad =
        Memory(last.scratchpad_desc(), engine_, memory.scratchpad_bytes.data());
    memory.stream = dnnl::stream(engine_);
  }
}

dnnl::matmul::primitive_desc OneDnnMultiplier::Describe(int64_t slab_outputs) const {
  const Memory::desc x({kTileRows, layout_.inputs}, kType, Memory::format_tag::ab);
  const Memory::desc w({layout_.inputs, slab_outputs}, kType, Memory::format_tag::any);
  // Dense: rows further apart rule out oneDNN's kernels for weights laid out in advance.
  const Memory::desc y({kTileRows, slab_outputs}, Memory::data_type::f32, Memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, w, y), attributes, engine_);
}

void OneDnnMultiplier::Pack(std::span<const WeightMatrix> parts, int slab_index) {
  Slab& slab = slabs_[slab_index];
  const int64_t width = layout_.Width(slab_index);
  const auto description = Describe(width);
  slab.kernel = dnnl::matmul(description);

  AlignedBuffer<std::byte> rows(width * layout_.inputs * SizeOf(MatrixType::kBFloat16));
  GatherRows(parts, layout_.First(slab_index), width, MatrixType::kBFloat16, rows.data());
  Memory source({{layout_.inputs, width}, kType, Memory::format_tag::ba}, engine_, rows.data());
  slab.weights = AlignedBuffer<std::byte>(description.weights_desc().get_size());
  slab.weights_memory = Memory(description.weights_desc(), engine_, slab.weights.data());
  dnnl::stream stream(engine_);
  dnnl::reorder(source, slab.weights_memory).execute(stream, source, slab.weights_memory);
  stream.wait();
}

void OneDnnMultiplier::RunSlab(int slab_index, const std::byte* x, float* y, int thread) const {
  const Slab& slab = slabs_[slab_index];
  ThreadMemory& memory = thread_memory_[thread];
  const bool last = slab_index + 1 == layout_.count();
  const Memory& y_memory = last ? memory.last_y : memory.y;
  const Memory& scratchpad = last ? memory.last_scratchpad : memory.scratchpad;
  // Plain row-major memory: setting the handle touches no data.
  dnnl_memory_set_data_handle(memory.x.get(), const_cast<std::byte*>(x));
  const std::array<dnnl_exec_arg_t, 4> arguments = {{
      {DNNL_ARG_SRC, memory.x.get()},
      {DNNL_ARG_WEIGHTS, slab.weights_memory.get()},
      {DNNL_ARG_DST, y_memory.get()},
      {DNNL_ARG_SCRATCHPAD, scratchpad.get()},
  }};
  const dnnl_status_t status = dnnl_primitive_execute(
      slab.kernel.get(), memory.stream.get(), static_cast<int>(arguments.size()), arguments.data());
  if (status != dnnl_success) {
    // A kernel that was prepared runs; one that does not would leave wrong numbers.
    spdlog::critical("oneDNN failed in a matrix product with status {}", static_cast<int>(status));
    std::abort();
  }
  const int64_t width = layout_.Width(slab_index);
  y += layout_.First(slab_index);
  for (int row = 0; row < kTileRows; ++row) {
    std::copy_n(memory.dense_y.data() + row * width, width, y + row * layout_.outputs);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SlabMultiplier>> MakeOneDnnMultiplier(
    std::span<const WeightMatrix> parts, const SlabLayout& layout, ThreadPool& pool) {
  try {
    return std::make_unique<OneDnnMultiplier>(parts, layout, pool);
  } catch (const dnnl::error& error) {
    return absl::InternalError(
        fmt::format("oneDNN cannot prepare a product of {} inputs with {} outputs: {}",
                    layout.inputs, layout.outputs, error.what()));
  }
}

}  // namespace tandem::compute
