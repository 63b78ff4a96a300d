#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "compute/cpu_features.h"
#include "compute/ops/prefill_attention.h"
#include "model/decoder.h"
#include "model/decoder_weights.h"
#include "model/model.h"
#include "model/testing/test_sequence.h"
#include "model/tile_program.h"

// oneDNN's threads.
extern "C" void omp_set_num_threads(int threads);

// Prefill of a model as a whole and in parts, and what oneDNN alone makes of the model's matrix
// products on as many threads: in turns, the best of several rounds.
//
//   TANDEM_TEST_MODEL=model.gguf [TANDEM_BENCH_THREADS=2] [TANDEM_BENCH_ROUNDS=5]
//   [TANDEM_BENCH_CLOCK=cpu] [TANDEM_CPU_TARGET=avx2] prefill_bench [tokens...]

namespace tandem {
namespace {

using model::ModelConfig;

int FromEnvironment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

/// Wall time, or with TANDEM_BENCH_CLOCK=cpu the processor time of this process: for machines that
/// others use as well, and one thread.
double Now() {
  static const char* const clock = std::getenv("TANDEM_BENCH_CLOCK");
  timespec time = {};
  const bool cpu = clock != nullptr && std::string_view(clock) == "cpu";
  clock_gettime(cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Seconds(auto&& run) {
  const double start = Now();
  run();
  return Now() - start;
}

struct Product {
  int64_t inputs, outputs;
};

std::vector<Product> LayerProducts(const ModelConfig& config) {
  const int64_t hidden = config.hidden_size, query = int64_t{config.heads} * config.head_dim;
  return {{hidden, query + int64_t{2} * config.kv_heads * config.head_dim},
          {query, hidden},
          {hidden, int64_t{2} * config.intermediate_size},
          {config.intermediate_size, hidden}};
}

/// All layers' products through oneDNN, each with weights of its own, laid out as oneDNN likes.
class OneDnnProducts {
 public:
  OneDnnProducts(const ModelConfig& config, int64_t rows, bool bf16, int threads)
      : threads_(threads), stream_(engine_) {
    using Memory = dnnl::memory;
    omp_set_num_threads(threads_);
    const auto type = bf16 ? Memory::data_type::bf16 : Memory::data_type::f32;
    for (int layer = 0; layer < config.layers; ++layer) {
      for (const Product& product : LayerProducts(config)) {
        const Memory::desc x({rows, product.inputs}, type, Memory::format_tag::ab);
        const Memory::desc w({product.inputs, product.outputs}, type, Memory::format_tag::any);
        const Memory::desc y({rows, product.outputs}, type, Memory::format_tag::ab);
        const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), engine_);
        Step step{dnnl::matmul(description), Memory(description.src_desc(), engine_),
                  Memory(description.weights_desc(), engine_),
                  Memory(description.dst_desc(), engine_)};
        for (Memory* memory : {&step.x, &step.w}) Fill(memory, bf16);
        steps_.push_back(std::move(step));
      }
    }
  }

  double Run() {
    omp_set_num_threads(threads_);
    return Seconds([this] {
      for (Step& step : steps_) {
        step.kernel.execute(
            stream_, {{DNNL_ARG_SRC, step.x}, {DNNL_ARG_WEIGHTS, step.w}, {DNNL_ARG_DST, step.y}});
      }
      stream_.wait();
    });
  }

 private:
  struct Step {
    dnnl::matmul kernel;
    dnnl::memory x, w, y;
  };

  static void Fill(dnnl::memory* memory, bool bf16) {
    const size_t count = memory->get_desc().get_size() / (bf16 ? 2 : 4);
    for (size_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(i % 13) / 8 - 0.75f;
      if (bf16) {
        static_cast<uint16_t*>(memory->get_data_handle())[i] =
            static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
      } else {
        static_cast<float*>(memory->get_data_handle())[i] = value;
      }
    }
  }

  const int threads_;
  const dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_;
  std::vector<Step> steps_;
};

/// The layers' products alone, as the prefill pass runs them.
class OwnProducts {
 public:
  OwnProducts(const ModelConfig& config, const model::DecoderWeights& weights, int64_t rows,
              ThreadPool& pool)
      : rows_(rows), pool_(pool), scratch_(pool.threads()) {
    int64_t widest = 0;
    for (const Product& product : LayerProducts(config)) {
      widest = std::max(widest, product.inputs);
    }
    constexpr int64_t kTile = compute::PrefillLinear::kTileRows;
    x_ = compute::AlignedBuffer<float>(model::TileProgram::Slots(pool) * kTile * (widest + 32));
    std::fill_n(x_.data(), x_.size(), 0.01f);
    const int64_t slot = kTile * (widest + 32);
    for (const model::LayerWeights& layer : weights.layers) {
      for (const auto* linear :
           {&layer.qkv, &layer.attention_output, &layer.gate_up, &layer.down}) {
        program_.AddLinear(
            linear->prefill,
            [this, slot](const model::TileProgram::Tile& tile) {
              return reinterpret_cast<const std::byte*>(x_.data() + tile.slot * slot);
            },
            [](const model::TileProgram::Tile&, const compute::SlabOutputs&) {});
      }
    }
  }

  double Run() {
    return Seconds([this] { program_.Run(rows_, pool_, scratch_); });
  }

 private:
  const int64_t rows_;
  ThreadPool& pool_;
  compute::AlignedBuffer<float> x_;
  std::vector<compute::PrefillLinearScratch> scratch_;
  model::TileProgram program_;
};

/// The layers' attention alone, over a prompt of `tokens` tokens.
class OwnAttention {
 public:
  OwnAttention(const ModelConfig& config, compute::CpuTarget target, int tokens, ThreadPool& pool)
      : config_(config),
        target_(target),
        tokens_(tokens),
        pool_(pool),
        test_pool_(config, tokens),
        table_(test_pool_.Take(tokens)),
        queries_(size_t{1} * tokens * config.heads * config.head_dim *
                 SizeOf(MatrixTypeFor(target))),
        scratch_(pool.threads()) {
    std::fill_n(queries_.data(), queries_.size(), std::byte{0x3c});
  }

  double Run() {
    const compute::AttentionShape shape{config_.heads, config_.kv_heads, config_.head_dim};
    const auto attend = compute::FindPrefillAttention(target_);
    const compute::MatrixType type = MatrixTypeFor(target_);
    const int tile = compute::PrefillAttentionTileTokens(shape, type);
    const int64_t tiles = (tokens_ + tile - 1) / tile;
    const int64_t row = int64_t{config_.heads} * config_.head_dim;
    const int64_t group = int64_t{shape.group()} * shape.head_dim;
    return Seconds([&] {
      for (int layer = 0; layer < config_.layers; ++layer) {
        pool_.ParallelFor(tiles * config_.kv_heads, [&](int64_t index, int thread) {
          const int first = static_cast<int>(tiles - 1 - index / config_.kv_heads) * tile;
          const int head = static_cast<int>(index % config_.kv_heads);
          std::byte* x = queries_.data() + (first * row + head * group) * SizeOf(type);
          attend(shape, {&test_pool_.kv(), layer, table_},
                 {x, x, row, row, std::min(tile, tokens_ - first), first, head}, scratch_[thread]);
        });
      }
    });
  }

 private:
  const ModelConfig& config_;
  const compute::CpuTarget target_;
  const int tokens_;
  ThreadPool& pool_;
  model::testing::TestPool test_pool_;
  const std::vector<int32_t> table_;
  compute::AlignedBuffer<std::byte> queries_;
  std::vector<compute::PrefillAttentionScratch> scratch_;
};

double RunPrefill(model::Decoder& decoder, const std::vector<int32_t>& tokens) {
  model::testing::TestPool pool(decoder.config(), static_cast<int>(tokens.size()));
  model::testing::TestSequence sequence(pool, static_cast<int>(tokens.size()));
  return Seconds(
      [&] { sequence.Run(decoder, tokens, model::TokenPath::kPrefill, model::LogitRows::kLast); });
}

/// Has oneDNN use what `target` allows and no more.
void CapOneDnn(compute::CpuTarget target) {
  using compute::CpuTarget;
  using dnnl::cpu_isa;
  const cpu_isa most = target == CpuTarget::kPortable     ? cpu_isa::sse41
                       : target == CpuTarget::kAvx2       ? cpu_isa::avx2
                       : target == CpuTarget::kAvx512     ? cpu_isa::avx512_core
                       : target == CpuTarget::kAvx512Vnni ? cpu_isa::avx512_core_vnni
                       : target == CpuTarget::kAvx512Bf16 ? cpu_isa::avx512_core_bf16
                                                          : cpu_isa::all;
  dnnl::set_max_cpu_isa(most);
}

int Main(std::vector<int> lengths) {
  const char* path = std::getenv("TANDEM_TEST_MODEL");
  const auto opened = model::OpenModel(path == nullptr ? "" : path);
  if (!opened.ok()) {
    fmt::print(stderr, "TANDEM_TEST_MODEL: {}\n", std::string(opened.status().message()));
    return 2;
  }
  const ModelConfig& config = opened->config;
  const model::WeightSource& source = *opened->weights;
  const auto target = compute::SelectCpuTarget().value();
  CapOneDnn(target);
  const bool bf16 = MatrixTypeFor(target) == compute::MatrixType::kBFloat16;
  const int threads = FromEnvironment("TANDEM_BENCH_THREADS", 2);
  const int rounds = FromEnvironment("TANDEM_BENCH_ROUNDS", 5);
  const auto kept = model::Decoder::Load(config, source, threads).value();
  const auto unpacking = model::Decoder::Load(config, source, threads, {0}).value();
  ThreadPool pool(threads);
  const auto weights = model::LoadDecoderWeights(config, source, target, pool, SIZE_MAX).value();

  double weight_count = 0;
  for (const Product& product : LayerProducts(config)) {
    weight_count += static_cast<double>(config.layers) * product.inputs * product.outputs;
  }
  fmt::print("{}, {} threads, tokens/s, best of {} rounds\n", CpuTargetName(target), threads,
             rounds);
  fmt::print("{:>7} {:>9} {:>9} {:>6} {:>9} | ms: {:>8} {:>9} {:>9}\n", "tokens", "oneDNN",
             "prefill", "ratio", "unpacking", "products", "attention", "the rest");
  for (const int length : lengths) {
    std::vector<int32_t> tokens(length);
    for (int i = 0; i < length; ++i) tokens[i] = 100 + i * 37 % (config.vocab_size - 100);
    OneDnnProducts reference(config, length, bf16, threads);
    OwnProducts products(config, weights, length, pool);
    OwnAttention attention(config, target, length, pool);
    double best[5] = {1e9, 1e9, 1e9, 1e9, 1e9};
    for (int round = 0; round < rounds; ++round) {
      const double times[5] = {reference.Run(), RunPrefill(*kept, tokens),
                               RunPrefill(*unpacking, tokens), products.Run(), attention.Run()};
      for (int i = 0; i < 5; ++i) best[i] = std::min(best[i], times[i]);
    }
    fmt::print("{:>7} {:>9.0f} {:>9.0f} {:>5.1f}% {:>9.0f} | {:>12.1f} {:>9.1f} {:>9.1f}\n", length,
               length / best[0], length / best[1], 100 * best[0] / best[1], length / best[2],
               1e3 * best[3], 1e3 * best[4], 1e3 * (best[1] - best[3] - best[4]));
    fmt::print("        products of prefill {:.0f} GFLOP/s, of oneDNN {:.0f}\n",
               2e-9 * weight_count * length / best[3], 2e-9 * weight_count * length / best[0]);
  }
  return 0;
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  std::vector<int> lengths;
  for (int i = 1; i < argc; ++i) lengths.push_back(std::max(1, std::atoi(argv[i])));
  if (lengths.empty()) lengths = {512, 2048};
  return tandem::Main(lengths);
}
