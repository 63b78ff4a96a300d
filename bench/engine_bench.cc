#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/idle_decoder.h"
#include "engine/engine_core.h"
#include "model/model.h"

namespace tandem {
namespace {

constexpr int kBatch = 16;
constexpr int kBlocks = 16'384, kLongest = 8'192;

/// The tokenizer of TANDEM_TEST_MODEL, opened once for all benchmarks.
const model::Tokenizer& Tokenizer() {
  static const model::Model model = [] {
    const char* path = std::getenv("TANDEM_TEST_MODEL");
    auto opened = model::OpenModel(path == nullptr ? "" : path);
    if (!opened.ok()) {
      std::fprintf(stderr, "TANDEM_TEST_MODEL: %s\n",
                   std::string(opened.status().message()).c_str());
      std::exit(2);
    }
    return *std::move(opened);
  }();
  return *model.tokenizer;
}

/// An engine whose model takes no time.
class Engine {
 public:
  explicit Engine(const engine::SamplingParams& sampling)
      : sampling_(sampling),
        kv_(compute::KvPool::Create(bench::IdleDecoder::Layout(), kBlocks).value()),
        decoder_(Tokenizer().vocab_size(), kBatch, [](int) {}),
        core_({.model_name = "idle",
               .num_blocks = kBlocks,
               .max_model_len = kLongest,
               .enable_prefix_caching = true},
              decoder_, kv_, Tokenizer(), nullptr, metrics_, Clock::Real()) {}

  void Add(int output_tokens) {
    engine::EngineRequest request;
    request.id = std::to_string(added_);
    for (int i = 0; i < 150; ++i) request.prompt.push_back(300 + (added_ * 31 + i * 7) % 20'000);
    request.sampling = sampling_;
    request.sampling.max_tokens = output_tokens;
    request.sampling.ignore_eos = true;
    core_.Add(
        std::move(request),
        [](const engine::EngineOutput& output) { benchmark::DoNotOptimize(output.text.data()); },
        Clock::Real().Now());
    ++added_;
  }

  /// Runs requests of two tokens from their beginning to their end.
  void Finish(int requests) {
    for (int done = 0; done < requests; done += kBatch) {
      for (int i = 0; i < kBatch; ++i) Add(2);
      while (core_.unfinished() > 0) core_.Step();
    }
  }

  engine::EngineCore& core() { return core_; }

 private:
  const engine::SamplingParams sampling_;
  const compute::KvPool kv_;
  bench::IdleDecoder decoder_;
  MetricRegistry metrics_;
  engine::EngineCore core_;
  int added_ = 0;
};

/// A step of 16 sequences without the model, after as many requests have come and gone as the
/// argument says: scheduler, sampler, tokenizer and metrics.
void BM_Step(benchmark::State& state, const engine::SamplingParams& sampling) {
  Engine engine(sampling);
  engine.Finish(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    if (engine.core().unfinished() == 0) {
      state.PauseTiming();
      for (int i = 0; i < kBatch; ++i) engine.Add(2'000);
      engine.core().Step();  // Their prompts.
      state.ResumeTiming();
    }
    engine.core().Step();
  }
}
BENCHMARK_CAPTURE(BM_Step, greedy, engine::SamplingParams{.temperature = 0})
    ->Arg(0)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Step, temperature, engine::SamplingParams{.temperature = 0.8f})
    ->Arg(0)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Step, top_p, engine::SamplingParams{.temperature = 0.8f, .top_p = 0.95f})
    ->Arg(0)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem

BENCHMARK_MAIN();
