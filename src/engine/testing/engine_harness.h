#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine_core.h"
#include "engine/testing/fake_connector.h"
#include "engine/testing/fake_decoder.h"
#include "engine/testing/fake_tokenizer.h"

namespace tandem::engine::testing {

/// All that one request gave.
struct Result {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<size_t> text_ends;  ///< Length of the text after each output.
  std::vector<TokenLogprobs> logprobs;
  std::vector<TokenLogprobs> prompt_logprobs;
  int outputs = 0;
  EngineOutput last;  ///< The latest output.
};

struct HarnessOptions {
  EngineOptions engine = {
      .model_name = "fake", .num_blocks = 64, .max_model_len = 400, .eos_token_ids = {0}};
  int block_tokens = 16;
  cache::KvRole role = cache::KvRole::kNone;
  FakeStore* store = nullptr;  ///< Without one there is no connector.
};

/// An EngineCore on a fake model, driven by the test.
class EngineHarness {
 public:
  explicit EngineHarness(const HarnessOptions& options);

  void Add(EngineRequest request);

  /// Steps until nothing moves; transfers run as they are asked for.
  void RunToEnd();

  /// The result of a request that runs alone, to its end.
  Result RunAlone(EngineRequest request);

  /// A metric's value, by its name.
  double Metric(const std::string& name) const;

  const compute::KvPool kv;
  FakeDecoder decoder;
  FakeTokenizer tokenizer;
  FakeClock clock;
  std::optional<FakeConnector> connector;
  MetricRegistry metrics;
  EngineCore core;
  std::map<std::string, Result> results;
};

}  // namespace tandem::engine::testing
