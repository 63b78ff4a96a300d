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

/// The OpenMP runtime that oneDNN links; sets the calling thread's number of threads.
extern "C" void omp_set_num_threads(int threads);
extern "C" int omp_get_max_threads();

namespace tandem::compute {
namespace {

constexpr int64_t kMaxSlabOutputs = 512;
constexpr int64_t kSlabMultiple = 32;

/// Makes oneDNN prepare kernels of one thread, whose blocking is then the same everywhere.
class OneThreadScope {
 public:
  OneThreadScope() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThreadScope() { omp_set_num_threads(threads_); }
  OneThreadScope(const OneThreadScope&) = delete;
  OneThreadScope& operator=(const OneThreadScope&) = delete;

 private:
  const int threads_;
};

int64_t SlabOutputs(int64_t outputs) {
  const int64_t slabs = std::max((outputs + kMaxSlabOutputs - 1) / kMaxSlabOutputs,
                                 std::min<int64_t>(2, outputs / kSlabMultiple));
  const int64_t least = slabs == 0 ? outputs : (outputs + slabs - 1) / slabs;
  return (least + kSlabMultiple - 1) / kSlabMultiple * kSlabMultiple;
}

dnnl::memory::data_type OneDnnType(MatrixType type) {
  return type == MatrixType::kFloat32 ? dnnl::memory::data_type::f32
                                      : dnnl::memory::data_type::bf16;
}

/// Outputs [first, first + count) of the parts, dequantised: [count, columns] of the matrix type.
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

}  // namespace

struct PrefillLinear::Impl {
  struct Slab {
    int64_t first_output = 0;
    AlignedBuffer<std::byte> weights;
    dnnl::memory weights_memory;
    dnnl::matmul kernel;
  };
  /// What one thread runs a slab with; kernels of one shape differ in no more than these.
  struct ThreadMemory {
    dnnl::memory x, y, last_y;
    AlignedBuffer<std::byte> scratchpad_bytes;
    dnnl::memory scratchpad, last_scratchpad;
    dnnl::stream stream;
  };

  Impl(std::span<const WeightMatrix> parts, MatrixType type, ThreadPool& pool);
  dnnl::matmul::primitive_desc Describe(int64_t outputs) const;
  void Pack(std::span<const WeightMatrix> parts, Slab* slab, int64_t outputs) const;

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  MatrixType type;
  int64_t inputs = 0;
  int64_t outputs = 0;
  std::vector<Slab> slabs;
  mutable std::vector<ThreadMemory> thread_memory;
};

PrefillLinear::Impl::Impl(std::span<const WeightMatrix> parts, MatrixType type, ThreadPool& pool)
    : type(type), inputs(parts[0].columns) {
  for (const WeightMatrix& part : parts) outputs += part.rows;
  const int64_t width = SlabOutputs(outputs);
  slabs.resize((outputs + width - 1) / width);
  std::vector<absl::Status> errors(slabs.size());
  pool.ParallelFor(slabs.size(), [&](int64_t i, int) {
    slabs[i].first_output = i * width;
    try {
      OneThreadScope one_thread;
      Pack(parts, &slabs[i], std::min(width, outputs - i * width));
    } catch (const dnnl::error& error) {
      errors[i] = absl::InternalError(error.what());
    }
  });
  for (const absl::Status& error : errors) {
    if (!error.ok()) throw dnnl::error(dnnl_runtime_error, std::string(error.message()).c_str());
  }

  OneThreadScope one_thread;
  const auto describe_first = Describe(std::min(width, outputs));
  const auto describe_last = Describe(outputs - slabs.back().first_output);
  const size_t scratchpad_bytes = std::max(describe_first.scratchpad_desc().get_size(),
                                           describe_last.scratchpad_desc().get_size());
  thread_memory.resize(pool.threads());
  for (ThreadMemory& memory : thread_memory) {
    memory.x = dnnl::memory(describe_first.src_desc(), engine, nullptr);
    memory.y = dnnl::memory(describe_first.dst_desc(), engine, nullptr);
    memory.last_y = dnnl::memory(describe_last.dst_desc(), engine, nullptr);
    memory.scratchpad_bytes = AlignedBuffer<std::byte>(scratchpad_bytes);
    memory.scratchpad =
        dnnl::memory(describe_first.scratchpad_desc(), engine, memory.scratchpad_bytes.data());
    memory.last_scratchpad =
        dnnl::memory(describe_last.scratchpad_desc(), engine, memory.scratchpad_bytes.data());
    memory.stream = dnnl::stream(engine);
  }
}

dnnl::matmul::primitive_desc PrefillLinear::Impl::Describe(int64_t slab_outputs) const {
  using Memory = dnnl::memory;
  const Memory::desc x({kTileRows, inputs}, OneDnnType(type), Memory::format_tag::ab);
  const Memory::desc w({inputs, slab_outputs}, OneDnnType(type), Memory::format_tag::any);
  const Memory::desc y({kTileRows, slab_outputs}, Memory::data_type::f32, Memory::dims{outputs, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, w, y), attributes, engine);
}

void PrefillLinear::Impl::Pack(std::span<const WeightMatrix> parts, Slab* slab,
                               int64_t slab_outputs) const {
  using Memory = dnnl::memory;
  const auto description = Describe(slab_outputs);
  slab->kernel = dnnl::matmul(description);

  AlignedBuffer<std::byte> rows(slab_outputs * inputs * SizeOf(type));
  GatherRows(parts, slab->first_output, slab_outputs, type, rows.data());
  const Memory::desc plain({inputs, slab_outputs}, OneDnnType(type), Memory::format_tag::ba);
  Memory source(plain, engine, rows.data());
  slab->weights = AlignedBuffer<std::byte>(description.weights_desc().get_size());
  slab->weights_memory = Memory(description.weights_desc(), engine, slab->weights.data());
  dnnl::stream stream(engine);
  dnnl::reorder(source, slab->weights_memory).execute(stream, source, slab->weights_memory);
  stream.wait();
}

absl::StatusOr<PrefillLinear> PrefillLinear::Create(std::span<const WeightMatrix> parts,
                                                    MatrixType type, ThreadPool& pool) {
  try {
    return PrefillLinear(std::make_unique<Impl>(parts, type, pool));
  } catch (const dnnl::error& error) {
    return absl::InternalError(fmt::format(
        "oneDNN cannot prepare a matrix product of {} inputs: {}", parts[0].columns, error.what()));
  }
}

PrefillLinear::PrefillLinear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrefillLinear::~PrefillLinear() = default;
PrefillLinear::PrefillLinear(PrefillLinear&&) noexcept = default;
PrefillLinear& PrefillLinear::operator=(PrefillLinear&&) noexcept = default;

int64_t PrefillLinear::inputs() const { return impl_->inputs; }
int64_t PrefillLinear::outputs() const { return impl_->outputs; }
int PrefillLinear::slabs() const { return static_cast<int>(impl_->slabs.size()); }
MatrixType PrefillLinear::input_type() const { return impl_->type; }

void PrefillLinear::RunSlab(int slab_index, const std::byte* x, float* y, int thread) const {
  const Impl::Slab& slab = impl_->slabs[slab_index];
  Impl::ThreadMemory& memory = impl_->thread_memory[thread];
  const bool last = slab_index + 1 == slabs();
  dnnl::memory& y_memory = last ? memory.last_y : memory.y;
  const dnnl::memory& scratchpad = last ? memory.last_scratchpad : memory.scratchpad;
  // The handles are plain row-major memory, so that setting them touches no data.
  dnnl_memory_set_data_handle(memory.x.get(), const_cast<std::byte*>(x));
  dnnl_memory_set_data_handle(y_memory.get(), y + slab.first_output);
  const std::array<dnnl_exec_arg_t, 4> arguments = {{
      {DNNL_ARG_SRC, memory.x.get()},
      {DNNL_ARG_WEIGHTS, slab.weights_memory.get()},
      {DNNL_ARG_DST, y_memory.get()},
      {DNNL_ARG_SCRATCHPAD, scratchpad.get()},
  }};
  const dnnl_status_t status = dnnl_primitive_execute(slab.kernel.get(), memory.stream.get(),
                                                      arguments.size(), arguments.data());
  if (status != dnnl_success) {
    // A kernel that was prepared runs; one that does not would leave wrong numbers.
    spdlog::critical("oneDNN failed in a matrix product with status {}", static_cast<int>(status));
    std::abort();
  }
}

}  // namespace tandem::compute
