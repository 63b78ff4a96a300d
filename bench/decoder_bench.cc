#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/thread_pool.h"
#include "model/decoder.h"
#include "model/model.h"
#include "model/testing/test_sequence.h"

namespace tandem {
namespace {

using model::LogitRows;
using model::TokenPath;
using model::testing::TestPool;
using model::testing::TestSequence;

/// TANDEM_BENCH_THREADS, by default 2.
int Threads() {
  const char* threads = std::getenv("TANDEM_BENCH_THREADS");
  return threads == nullptr ? 2 : std::atoi(threads);
}

const char* ModelPath() {
  const char* path = std::getenv("TANDEM_TEST_MODEL");
  return path == nullptr ? "" : path;
}

/// The model of TANDEM_TEST_MODEL, opened once for all benchmarks.
struct LoadedModel {
  static LoadedModel& Get() {
    static LoadedModel loaded;
    return loaded;
  }

  LoadedModel() {
    auto opened = model::OpenModel(ModelPath());
    if (!opened.ok()) {
      std::fprintf(stderr, "TANDEM_TEST_MODEL: %s\n",
                   std::string(opened.status().message()).c_str());
      std::exit(2);
    }
    model = *std::move(opened);
    decoder = model::Decoder::Load(model.config, *model.weights, Threads()).value();
  }

  model::Model model;
  std::unique_ptr<model::Decoder> decoder;
};

std::vector<int32_t> SomeTokens(int count) {
  std::vector<int32_t> tokens(count);
  for (int i = 0; i < count; ++i) tokens[i] = 100 + i * 37 % 20000;
  return tokens;
}

void BM_Load(benchmark::State& state) {
  for (auto _ : state) {
    const model::Model model = model::OpenModel(ModelPath()).value();
    benchmark::DoNotOptimize(model::Decoder::Load(model.config, *model.weights, Threads()));
  }
}
BENCHMARK(BM_Load)->Unit(benchmark::kMillisecond)->UseRealTime();

/// What the memory gives: all threads read 2 GiB, each its share, as fast as they can.
void BM_ReadMemory(benchmark::State& state) {
  constexpr size_t kWords = size_t{256} << 20, kPiece = size_t{128} << 10, kAhead = 512;
  compute::AlignedBuffer<uint64_t> memory(kWords);
  compute::ThreadPool pool(Threads());
  pool.ParallelFor(kWords / kPiece, [&](int64_t piece, int) {
    std::fill_n(memory.data() + piece * kPiece, kPiece, uint64_t{1});
  });
  for (auto _ : state) {
    pool.ParallelFor(kWords / kPiece, [&](int64_t piece, int) {
      const uint64_t* words = memory.data() + piece * kPiece;
      uint64_t sums[16] = {};
      for (size_t i = 0; i < kPiece; i += 16) {
        __builtin_prefetch(words + i + kAhead);
        __builtin_prefetch(words + i + kAhead + 8);
        for (size_t lane = 0; lane < 16; ++lane) sums[lane] += words[i + lane];
      }
      benchmark::DoNotOptimize(sums);
    });
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kWords * sizeof(uint64_t)));
}
BENCHMARK(BM_ReadMemory)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_Prefill(benchmark::State& state) {
  LoadedModel& loaded = LoadedModel::Get();
  const std::vector<int32_t> tokens = SomeTokens(static_cast<int>(state.range(0)));
  const auto count = static_cast<int>(tokens.size());
  for (auto _ : state) {
    TestPool pool(loaded.model.config, count);
    TestSequence sequence(pool, count);
    sequence.Run(*loaded.decoder, tokens, TokenPath::kPrefill, LogitRows::kLast);
  }
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(count * state.iterations()),
                                                  benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Prefill)->Arg(64)->Arg(512)->Arg(2048)->Unit(benchmark::kMillisecond)->UseRealTime();

/// Steps of a batch of sequences (first argument) that have as many tokens as the second says.
void BM_Decode(benchmark::State& state) {
  LoadedModel& loaded = LoadedModel::Get();
  const auto batch = static_cast<int>(state.range(0)), context = static_cast<int>(state.range(1));
  const std::vector<int32_t> tokens = SomeTokens(context);
  TestPool pool(loaded.model.config, batch * (context + 16));
  std::vector<TestSequence> sequences;
  for (int i = 0; i < batch; ++i) {
    sequences.emplace_back(pool, context + 1);
    sequences.back().Run(*loaded.decoder, tokens, TokenPath::kPrefill, LogitRows::kNone);
  }
  const int32_t token = 42;
  std::vector<model::BatchSegment> segments;
  for (TestSequence& sequence : sequences) {
    segments.push_back(sequence.Next({&token, 1}, TokenPath::kDecode, LogitRows::kLast));
  }
  for (auto _ : state) loaded.decoder->Forward(segments, pool.kv());
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(batch * state.iterations()),
                                                  benchmark::Counter::kIsRate);
}
BENCHMARK(BM_Decode)
    ->Args({1, 150})
    ->Args({8, 150})
    ->Args({16, 150})
    ->Args({64, 150})
    ->Args({1, 4096})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace tandem

BENCHMARK_MAIN();
