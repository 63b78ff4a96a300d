#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/testing/files.h"
#include "model/testing/golden.h"
#include "model/testing/invariance.h"

namespace tandem::model {
namespace {

/// What decoder_invariance_test.cc shows of GGUF's formats, of those that only checkpoints have.
class CheckpointInvariance : public ::testing::TestWithParam<const char*> {};

TEST_P(CheckpointInvariance, RandomSchedulesGiveTheSameBits) {
  const std::string directory = std::string(TANDEM_CHECKPOINTS "/") + GetParam();
  if (!testing::ReadFile(directory + "/config.json")) GTEST_SKIP() << "no " << directory;
  std::vector<std::unique_ptr<WeightSource>> weights;
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const auto& [threads, options] :
       {std::pair{1, DecoderOptions{}}, {2, DecoderOptions{}}, {3, DecoderOptions{0}}}) {
    auto checkpoint = testing::LoadCheckpoint(directory, threads, options);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    weights.push_back(std::move(checkpoint->weights));
    decoders.push_back(std::move(checkpoint->decoder));
  }
  testing::RandomSchedule schedule(decoders, 20240613);
  testing::ExpectSameBitsInSchedules(schedule, 20, 300);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, CheckpointInvariance,
                         ::testing::Values("llama3_bf16", "llama_linear_gptq",
                                           "qwen2_gptq_act_order", "qwen2_gptq_v2",
                                           "qwen3_gptq_act_order"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tandem::model
