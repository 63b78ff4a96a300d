#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/decoder.h"
#include "model/testing/files.h"
#include "model/testing/golden.h"
#include "model/testing/test_sequence.h"
#include "model/weight_source.h"

namespace tandem::model {
namespace {

using testing::ArgMax;
using testing::Ids;
using testing::kNearTie;
using testing::LogProbability;
using testing::TestSequence;

const std::string kFixtures = std::string(TANDEM_SOURCE_DIR) + "/../shared/fixtures";

/// Small random checkpoints against what a reference computed with them in float32: one that
/// transformers made, and those that make_checkpoints.py and make_gguf_checkpoints.py in
/// tests/checkpoints/ make and compute.
class CheckpointGolden : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    directory_ = GetParam().front() == '/' ? GetParam() : TANDEM_CHECKPOINTS "/" + GetParam();
    const auto golden = testing::ReadFile(directory_ + "/golden.json");
    if (!golden) GTEST_SKIP() << "no " << directory_ << "/golden.json";
    golden_ = boost::json::parse(*golden);
    auto checkpoint = testing::LoadCheckpoint(directory_);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    weights_ = std::move(checkpoint->weights);
    decoder_ = std::move(checkpoint->decoder);
  }

  const boost::json::array& Cases() const { return golden_.at("cases").as_array(); }

  void ExpectArgMax(TokenPath path) {
    int clear = 0;
    for (const boost::json::value& golden : Cases()) {
      const std::vector<int32_t> tokens = Ids(golden.at("prompt_ids"));
      const std::vector<int32_t> argmax = Ids(golden.at("argmax_every_position"));
      const auto gaps =
          boost::json::value_to<std::vector<double>>(golden.at("top2_gap_every_position"));
      testing::TestPool pool(decoder_->config(), 1024);
      TestSequence sequence(pool, 1024);
      const Logits logits = sequence.Run(*decoder_, tokens, path, LogitRows::kAll);
      for (size_t i = 0; i < tokens.size(); ++i) {
        if (gaps[i] < kNearTie) continue;
        ++clear;
        ASSERT_EQ(ArgMax(logits.Row(static_cast<int>(i))), argmax[i]) << "position " << i;
      }
    }
    EXPECT_GT(clear, 100);
  }

  /// Greedy ids, and the top-5 log-probabilities of each step, up to the first near-tie.
  void ExpectGreedy(const boost::json::value& golden) {
    const std::vector<int32_t> expected = Ids(golden.at("greedy_ids"));
    const boost::json::array& steps = golden.at("top5_logprobs").as_array();
    testing::TestPool pool(decoder_->config(), 1024);
    TestSequence sequence(pool, 1024);
    Logits logits = sequence.Run(*decoder_, Ids(golden.at("prompt_ids")), TokenPath::kPrefill,
                                 LogitRows::kLast);
    for (size_t step = 0; step < expected.size(); ++step) {
      for (const boost::json::value& top : steps[step].as_array()) {
        const auto token = static_cast<int32_t>(top.at(0).as_int64());
        EXPECT_NEAR(LogProbability(logits.Row(0), token), top.at(1).to_number<double>(), 0.03)
            << "step " << step << ", token " << token;
      }
      const auto gap =
          steps[step].at(0).at(1).to_number<double>() - steps[step].at(1).at(1).to_number<double>();
      if (gap < kNearTie) return;
      ASSERT_EQ(ArgMax(logits.Row(0)), expected[step]) << "step " << step;
      logits = sequence.Run(*decoder_, {&expected[step], 1}, TokenPath::kDecode, LogitRows::kLast);
    }
  }

  /// The root mean square of the error is within 1 % of the reference's.
  void ExpectKv(TokenPath path) {
    const auto reference = testing::ReadFile(directory_ + "/kv_2ltd_first20.f16.bin");
    ASSERT_TRUE(reference.has_value());
    const std::vector<int32_t> tokens = Ids(Cases()[1].at("prompt_ids"));
    testing::TestPool pool(decoder_->config(), 64);
    TestSequence sequence(pool, 64);
    sequence.Run(*decoder_, {tokens.data(), 20}, path, LogitRows::kNone);
    EXPECT_LT(testing::RelativeKvError(sequence.KvBytes(20), decoder_->config().dtype, *reference),
              0.01);
  }

  std::string directory_;
  boost::json::value golden_;
  std::unique_ptr<WeightSource> weights_;
  std::unique_ptr<Decoder> decoder_;
};

TEST_P(CheckpointGolden, ArgMaxOfPrefill) { ExpectArgMax(TokenPath::kPrefill); }

TEST_P(CheckpointGolden, ArgMaxOfDecode) { ExpectArgMax(TokenPath::kDecode); }

TEST_P(CheckpointGolden, GreedyTexts) {
  for (const boost::json::value& golden : Cases()) ExpectGreedy(golden);
}

TEST_P(CheckpointGolden, KvOfPrefill) { ExpectKv(TokenPath::kPrefill); }

TEST_P(CheckpointGolden, KvOfDecode) { ExpectKv(TokenPath::kDecode); }

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, CheckpointGolden,
    ::testing::Values(kFixtures + "/tiny-qwen2-gptq", "gguf_llama3_q8_0", "gguf_llama_linear_f16",
                      "gguf_mistral_q4_k_m", "gguf_qwen2_q4_1", "gguf_qwen2_q5_k_m",
                      "gguf_qwen3_bf16", "gguf_qwen3_q4_k_m", "llama3_bf16", "llama_linear_gptq",
                      "mistral_f32", "qwen2_gptq_act_order", "qwen2_gptq_v2", "qwen3_f16",
                      "qwen3_gptq_act_order"),
    [](const auto& info) {
      const std::string name = std::filesystem::path(info.param).filename().string();
      return name == "tiny-qwen2-gptq" ? "transformers_qwen2_gptq" : name;
    });

}  // namespace
}  // namespace tandem::model
