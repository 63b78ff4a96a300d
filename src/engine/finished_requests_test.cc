#include <gtest/gtest.h>

#include "engine/testing/engine_harness.h"

namespace tandem::engine {
namespace {

using testing::EngineHarness;
using testing::FakeStore;

constexpr int kBatches = 500, kBatch = 20;
constexpr int kAborted = 3;  // Of a batch, by its index.

/// Of a few prompts again and again: short and long outputs, some of which wait for their saves.
EngineRequest Request(int number) {
  EngineRequest request = {
      .id = std::to_string(number),
      .prompt = std::vector<int32_t>(20 + number % 50, 1 + number % 40),
      .sampling = {.temperature = 0, .max_tokens = 1 + number % 7, .ignore_eos = true}};
  request.wait_for_commit = number % 4 == 0;
  return request;
}

size_t Series(const MetricRegistry& metrics) {
  size_t series = 0;
  for (const auto& family : metrics.Collect()) series += family.metric.size();
  return series;
}

TEST(FinishedRequestsTest, LeaveNothingThatAStepGoesThrough) {
  FakeStore store;
  testing::HarnessOptions options;
  options.role = cache::KvRole::kBoth;
  options.store = &store;
  options.engine.enable_prefix_caching = true;
  EngineHarness engine(options);
  int finished = 0;
  size_t series = 0, tracked_at_work = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    for (int i = 0; i < kBatch; ++i) {
      engine.core.Add(
          Request(batch * kBatch + i),
          [&](const EngineOutput& output) { finished += output.finished ? 1 : 0; },
          engine.clock.Now());
    }
    engine.connector->RunAll();
    engine.core.Step();
    tracked_at_work = std::max(tracked_at_work, engine.core.tracked());
    engine.core.Abort(std::to_string(batch * kBatch + kAborted));
    engine.RunToEnd();
    ASSERT_EQ(engine.core.tracked(), 0u) << "after " << finished << " requests";
    ASSERT_EQ(engine.core.used_blocks(), 0) << "after " << finished << " requests";
    ASSERT_LE(engine.core.published_blocks(), size_t(options.engine.num_blocks));
    if (batch == 0) series = Series(engine.metrics);
  }
  EXPECT_EQ(finished, kBatches * kBatch);
  EXPECT_EQ(Series(engine.metrics), series);
  // They did stand there, with their transfers.
  EXPECT_GT(tracked_at_work, 2u * kBatch);
  EXPECT_GT(engine.Metric("tandem:external_stored_tokens_total"), 0);
  EXPECT_GT(engine.Metric("tandem:external_loaded_tokens_total"), 0);
}

}  // namespace
}  // namespace tandem::engine
