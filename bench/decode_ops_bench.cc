#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "compute/aligned_buffer.h"
#include "compute/cpu_features.h"
#include "compute/kv_pool.h"
#include "compute/ops/decode_attention.h"
#include "compute/ops/decode_linear.h"
#include "compute/ops/kv_write.h"
#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

/// TANDEM_BENCH_THREADS, by default 1: then the time of a step's part is a kernel's own.
int Threads() {
  const char* threads = std::getenv("TANDEM_BENCH_THREADS");
  return threads == nullptr ? 1 : std::atoi(threads);
}

/// Reading memory that no cache holds, the bound of one sequence's decode. Without prefetches a
/// core gets half of it.
void BM_Read(benchmark::State& state) {
  constexpr int64_t kWords = int64_t{1} << 28, kPiece = 1 << 17, kLine = 8, kAhead = 512;
  ThreadPool pool(Threads());
  AlignedBuffer<uint64_t> memory(kWords);
  std::fill_n(memory.data(), kWords, uint64_t{1});
  for (auto _ : state) {
    pool.ParallelFor(kWords / kPiece, [&](int64_t piece, int) {
      const uint64_t* words = memory.data() + piece * kPiece;
      uint64_t sum = 0;
      for (int64_t i = 0; i < kPiece; i += kLine) {
        __builtin_prefetch(words + i + kAhead);
        sum += words[i];  // Memory is read by lines.
      }
      benchmark::DoNotOptimize(sum);
    });
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(kWords * 8) * 1e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Read)->UseRealTime();

/// Products of `rows` rows with weights [outputs, inputs], in one of WeightFormat.
void BM_DecodeLinear(benchmark::State& state, WeightFormat format) {
  const int64_t rows = state.range(0), outputs = state.range(1), inputs = state.range(2);
  ThreadPool pool(Threads());
  const testing::RandomWeights weights(format, outputs, inputs, 1);
  const DecodeLinear linear(std::array{weights.View()}, SelectCpuTarget().value(), pool);
  const std::vector<float> x = testing::RandomFloats(rows * inputs, 1.0f, 2);
  std::vector<float> y(rows * outputs);
  DecodeInput input;
  linear.ResizeInput(rows, input);
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(x.data() + row * inputs, inputs, input.Row(row));
    linear.PrepareRow(row, input);
  }
  for (auto _ : state) linear.Run(input, y.data(), DecodeLinear::Output::kWrite, pool);
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(weights.bytes.size()) * 1e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
  state.counters["GMAC/s"] = benchmark::Counter(static_cast<double>(rows * outputs * inputs) * 1e-9,
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void LinearShapes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t rows : {1, 8, 64}) {
    benchmark->Args({rows, 3072, 576});    // SmolLM2-135M, gate and up: stays in the cache.
    benchmark->Args({rows, 18944, 3584});  // Qwen2.5-7B, up.
  }
}
BENCHMARK_CAPTURE(BM_DecodeLinear, Q4_1, WeightFormat::kQ4_1)->Apply(LinearShapes)->UseRealTime();
BENCHMARK_CAPTURE(BM_DecodeLinear, Q8_0, WeightFormat::kQ8_0)->Apply(LinearShapes)->UseRealTime();

/// The KV cache of some layers of 3 KV heads of 64 elements, as an engine that has served for a
/// while has it: written, and a sequence's blocks in no order.
struct ServedKv {
  ServedKv(int64_t keys, int layers)
      : pool(KvPool::Create({.layers = layers, .kv_heads = 3, .head_dim = 64},
                            static_cast<int>((keys + 15) / 16))
                 .value()),
        table(pool.num_blocks()) {
    std::iota(table.begin(), table.end(), 0);
    std::shuffle(table.begin(), table.end(), std::mt19937_64(1));
    const KvLayout& layout = pool.layout();
    const auto size = static_cast<int64_t>(layout.block_bytes() / SizeOf(layout.dtype));
    const std::vector<float> values = testing::RandomFloats(size, 1.0f, 3);
    for (int layer = 0; layer < layers; ++layer) {
      for (const KvPart part : {KvPart::kKey, KvPart::kValue}) {
        for (const int32_t block : table) {
          WriteKv(layout.dtype, values.data(), size, pool.Block(layer, part, block));
        }
      }
    }
  }

  KvPool pool;
  std::vector<int32_t> table;
};

/// One token's attention of 9 heads to as many keys as the first argument says, in as many layers
/// as the second, float16. 30 layers of 4,096 keys are SmolLM2-135M's: no cache holds them.
void BM_DecodeAttention(benchmark::State& state) {
  const int64_t keys = state.range(0);
  const auto layers = static_cast<int>(state.range(1));
  const AttentionShape shape = {.heads = 9, .kv_heads = 3, .head_dim = 64};
  const ServedKv kv(keys, layers);
  (void)SelectCpuTarget();  // Caps what the kernel runs on.
  ThreadPool threads(Threads());
  const std::vector<float> queries = testing::RandomFloats(9 * 64, 1.0f, 2);
  const int64_t partitions = KeyPartitions(keys - 1), size = DecodePartialSize(shape);
  const int64_t stride = shape.kv_heads * size;
  std::vector<float> partials(partitions * stride), output(9 * 64);
  for (auto _ : state) {
    for (int layer = 0; layer < layers; ++layer) {
      const KvView view = {&kv.pool, layer, kv.table};
      threads.ParallelFor(partitions, [&](int64_t partition, int) {
        const int64_t next = std::min(partition + threads.threads(), partitions);
        DecodeAttention(shape, view, keys - 1, {0, shape.kv_heads}, partition, queries.data(),
                        partials.data() + partition * stride,
                        std::span(kv.table).subspan(
                            std::min<size_t>(next * kKeyPartition / 16, kv.table.size())));
      });
      for (int head = 0; head < shape.kv_heads; ++head) {
        CombineDecodeAttention(shape, partitions, partials.data() + head * size, stride,
                               output.data() + head * 192);
      }
    }
  }
  const double bytes = static_cast<double>(keys * kv.pool.layout().all_token_bytes());
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["ns/key"] = benchmark::Counter(
      static_cast<double>(keys * layers) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_DecodeAttention)->Args({150, 1})->Args({4096, 1})->Args({4096, 30})->UseRealTime();

}  // namespace
}  // namespace tandem::compute

BENCHMARK_MAIN();
