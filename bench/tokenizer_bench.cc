#include <benchmark/benchmark.h>

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/testing/files.h"

namespace tandem::model {
namespace {

constexpr std::string_view kParagraph =
    "A key-value cache holds what a transformer has computed for the tokens it has seen, so that "
    "the "
    "next token needs only its own row. Two instances that share such a cache can split the work: "
    "one "
    "reads the prompt, the other writes the answer. Nothing of the prompt is computed twice, and a "
    "long document that many questions refer to is read once. What must not happen is that an "
    "answer "
    "changes because a value came from elsewhere.\n\n";

/// The demo model's path; skips the benchmark without it.
std::optional<std::string> DemoModel(benchmark::State& state) {
  auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
  if (!path) state.SkipWithError("no demo model: set TANDEM_TEST_MODEL, or run make demo");
  return path;
}

std::string Text(int64_t bytes) {
  std::string text;
  while (static_cast<int64_t>(text.size()) < bytes) text += kParagraph;
  text.resize(static_cast<size_t>(bytes));
  return text;
}

void BM_Open(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  for (auto _ : state) benchmark::DoNotOptimize(OpenModel(*path));
}
BENCHMARK(BM_Open)->Unit(benchmark::kMillisecond);

void BM_Fingerprint(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  const auto model = OpenModel(*path);
  for (auto _ : state) benchmark::DoNotOptimize(model->weights->Fingerprint());
}
BENCHMARK(BM_Fingerprint)->Unit(benchmark::kMillisecond);

void BM_Encode(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  const auto model = OpenModel(*path);
  const std::string text = Text(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(model->tokenizer->Encode(text, true));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Encode)->Arg(200)->Arg(16'000)->Arg(1'000'000);

/// One word without a space: the encoder's worst case.
void BM_EncodeLongWord(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  const auto model = OpenModel(*path);
  std::string text;
  for (int64_t i = 0; i < state.range(0); ++i) text += static_cast<char>('a' + i * i % 23);
  for (auto _ : state) benchmark::DoNotOptimize(model->tokenizer->Encode(text, true));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_EncodeLongWord)->Arg(1'000)->Arg(100'000);

void BM_Detokenize(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  const auto model = OpenModel(*path);
  const std::vector<int32_t> ids = model->tokenizer->Encode(Text(16'000), false);
  for (auto _ : state) {
    IncrementalDetokenizer detokenizer(*model->tokenizer, true);
    for (const int32_t id : ids) benchmark::DoNotOptimize(detokenizer.Append(id));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(ids.size()));
}
BENCHMARK(BM_Detokenize);

void BM_RenderChat(benchmark::State& state) {
  const auto path = DemoModel(state);
  if (!path) return;
  const auto model = OpenModel(*path);
  boost::json::array messages;
  for (int i = 0; i < 20; ++i) {
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", kParagraph}});
  }
  const boost::json::object variables = {{"messages", messages}, {"add_generation_prompt", true}};
  for (auto _ : state) benchmark::DoNotOptimize(model->chat_template->Render(variables));
}
BENCHMARK(BM_RenderChat)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem::model

BENCHMARK_MAIN();
