#include "engine/testing/engine_harness.h"

#include <utility>

namespace tandem::engine::testing {

EngineHarness::EngineHarness(const HarnessOptions& options)
    : kv(*compute::KvPool::Create(FakeDecoder::Layout(options.block_tokens),
                                  options.engine.num_blocks)),
      connector(options.store == nullptr
                    ? std::nullopt
                    : std::make_optional<FakeConnector>(*options.store, kv, options.role)),
      core(options.engine, decoder, kv, tokenizer, connector ? &*connector : nullptr, metrics,
           clock) {}

void EngineHarness::Add(EngineRequest request) {
  const std::string id = request.id;
  const auto record = [this, id](const EngineOutput& output) {
    Result& result = results[id];
    result.tokens.insert(result.tokens.end(), output.tokens.begin(), output.tokens.end());
    result.text += output.text;
    result.text_ends.push_back(result.text.size());
    result.logprobs.insert(result.logprobs.end(), output.logprobs.begin(), output.logprobs.end());
    if (!output.prompt_logprobs.empty()) result.prompt_logprobs = output.prompt_logprobs;
    ++result.outputs;
    result.last = output;
  };
  core.Add(std::move(request), record, clock.Now());
}

void EngineHarness::RunToEnd() {
  for (bool moved = true; moved;) {
    moved = core.Step();
    while (connector && connector->pending() > 0) {
      connector->Run(0);
      moved = true;
    }
  }
}

Result EngineHarness::RunAlone(EngineRequest request) {
  const std::string id = request.id;
  Add(std::move(request));
  RunToEnd();
  return results[id];
}

double EngineHarness::Metric(const std::string& name) const {
  double sum = 0;
  for (const auto& family : metrics.Collect()) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) sum += metric.counter.value + metric.gauge.value;
  }
  return sum;
}

}  // namespace tandem::engine::testing
