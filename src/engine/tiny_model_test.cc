#include "model/testing/tiny_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/engine_core.h"
#include "engine/testing/fake_connector.h"
#include "model/model.h"

namespace tandem::engine {
namespace {

using cache::KvRole;
using testing::FakeConnector;
using testing::FakeStore;

constexpr int kVocabulary = 256;  // Of the model's, those that prompts are made of.

struct Result {
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;
  EngineOutput last;
};

// Engines on a real, small model: what the fake one assumes of a decoder must hold of this one.
class TinyModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path =
        ::testing::TempDir() + "/engine_tiny_model_" + std::to_string(getpid()) + ".gguf";
    ASSERT_TRUE(model::testing::WriteTinyModel(path).ok());
    auto opened = model::OpenModel(path);
    ASSERT_TRUE(opened.ok()) << opened.status();
    model_ = *std::move(opened);
    auto decoder = model::Decoder::Load(model_.config, *model_.weights, 2);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
  }

  compute::KvPool MakePool(int num_blocks) const {
    const model::ModelConfig& config = model_.config;
    return *compute::KvPool::Create({.layers = config.layers,
                                     .kv_heads = config.kv_heads,
                                     .head_dim = config.head_dim,
                                     .dtype = config.dtype},
                                    num_blocks);
  }

  // Runs requests to their ends in one engine, each added at a random moment.
  std::map<std::string, Result> Run(const std::vector<EngineRequest>& requests,
                                    const EngineOptions& options, FakeStore& store, uint32_t seed) {
    const compute::KvPool kv = MakePool(options.num_blocks);
    FakeConnector connector(store, kv, KvRole::kBoth);
    MetricRegistry metrics;
    EngineCore core(options, *decoder_, kv, *model_.tokenizer, &connector, metrics, Clock::Real());
    std::map<std::string, Result> results;
    std::mt19937 random(seed);
    size_t added = 0;
    while (added < requests.size() || core.unfinished() > 0) {
      if (added < requests.size() && random() % 4 == 0) {
        const EngineRequest& request = requests[added++];
        Result& result = results[request.id];
        const auto record = [&result](const EngineOutput& output) {
          result.text += output.text;
          result.tokens.insert(result.tokens.end(), output.tokens.begin(), output.tokens.end());
          result.logprobs.insert(result.logprobs.end(), output.logprobs.begin(),
                                 output.logprobs.end());
          result.last = output;
        };
        core.Add(request, record, Clock::Real().Now());
      }
      core.Step();
      if (connector.pending() > 0 && random() % 2 == 0) connector.Run(0);
    }
    connector.RunAll();
    core.Step();
    EXPECT_EQ(core.used_blocks(), 0);
    return results;
  }

  Result RunAlone(const EngineRequest& request) {
    FakeStore store;
    const EngineOptions options = {.num_blocks = 40, .max_model_len = 600};
    return Run({request}, options, store, 0).at(request.id);
  }

  model::Model model_;
  std::unique_ptr<model::Decoder> decoder_;
};

std::vector<EngineRequest> RandomRequests(std::mt19937& random, int count) {
  std::vector<EngineRequest> requests;
  for (int i = 0; i < count; ++i) {
    EngineRequest request = {.id = std::to_string(i)};
    const int length = 1 + static_cast<int>(random() % 200);
    for (int j = 0; j < length; ++j) request.prompt.push_back(3 + (j * 37) % (kVocabulary - 3));
    request.sampling = {.temperature = i % 2 == 0 ? 0.0f : 1.0f,
                        .seed = random() % 4,
                        .max_tokens = 1 + static_cast<int>(random() % 40),
                        .ignore_eos = true,
                        .logprobs = 2};
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST_F(TinyModelTest, LogprobsAreTheSameBitsAloneAndInCompany) {
  std::mt19937 random(7);
  for (uint32_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<EngineRequest> requests = RandomRequests(random, 6);
    std::map<std::string, Result> alone;
    for (EngineRequest& request : requests) {
      alone[request.id] = RunAlone(request);
      if (random() % 3 > 0) continue;
      const Result& known = alone[request.id];
      const size_t given = random() % (known.tokens.size() + 1);
      for (size_t i = 0; i < given; ++i) {
        request.given.push_back({.token = known.tokens[i], .logprobs = known.logprobs[i]});
      }
    }
    FakeStore store;
    const EngineOptions options = {.num_blocks = 20 + static_cast<int>(random() % 10),
                                   .max_model_len = 300,
                                   .max_num_batched_tokens = 6 + static_cast<int>(random() % 200),
                                   .enable_prefix_caching = seed % 2 == 0};
    const std::map<std::string, Result> results = Run(requests, options, store, seed);
    for (const auto& [id, result] : results) {
      SCOPED_TRACE("request " + id);
      const Result& expected = alone[id];
      EXPECT_EQ(result.tokens, expected.tokens);
      EXPECT_EQ(result.text, expected.text);
      ASSERT_EQ(result.logprobs.size(), expected.logprobs.size());
      for (size_t i = 0; i < result.logprobs.size(); ++i) {
        EXPECT_EQ(result.logprobs[i].logprob, expected.logprobs[i].logprob) << "token " << i;
        EXPECT_EQ(result.logprobs[i].top, expected.logprobs[i].top);
      }
    }
  }
}

}  // namespace
}  // namespace tandem::engine
