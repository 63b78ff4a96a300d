#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

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
