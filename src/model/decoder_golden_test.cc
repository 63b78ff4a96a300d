#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/decoder.h"
#include "model/gguf_model.h"
#include "model/testing/files.h"
#include "model/testing/golden.h"
#include "model/testing/test_sequence.h"

namespace tandem::model {
namespace {

using testing::ArgMax;
using testing::Ids;
using testing::kNearTie;
using testing::TestSequence;

const std::string kFixtures = std::string(TANDEM_SOURCE_DIR) + "/../shared/fixtures/smollm2";

/// The demo model against what the reference implementation computed with it in float32.
class DecoderGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
    if (!path) GTEST_SKIP() << "no demo model: set TANDEM_TEST_MODEL or run make demo";
    const auto text = testing::ReadFile(kFixtures + "/golden.json");
    if (!text) GTEST_SKIP() << "no " << kFixtures << "/golden.json";
    golden_ = boost::json::parse(*text);
    auto model = GgufModel::Open(*path);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    auto decoder = Decoder::Load(model_->config(), *model_, 2);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
  }

  const boost::json::value& TeacherForced() const {
    return golden_.at("teacher_forced").as_array().front();
  }

  /// Greedy ids equal the golden ones up to the first near-tie.
  void ExpectGreedy(const boost::json::value& golden) {
    const std::vector<int32_t> expected = Ids(golden.at("greedy_ids"));
    const boost::json::array& top = golden.at("top5_logprobs").as_array();
    testing::TestPool pool(model_->config(), 1024);
    TestSequence sequence(pool, 1024);
    Logits logits = sequence.Run(*decoder_, Ids(golden.at("prompt_ids")), TokenPath::kPrefill,
                                 LogitRows::kLast);
    for (size_t step = 0; step < expected.size(); ++step) {
      const auto log_probability = [&](int rank) {
        return top[step].at(rank).at(1).to_number<double>();
      };
      if (log_probability(0) - log_probability(1) < kNearTie) return;
      ASSERT_EQ(ArgMax(logits.Row(0)), expected[step]) << "step " << step;
      logits = sequence.Run(*decoder_, {&expected[step], 1}, TokenPath::kDecode, LogitRows::kLast);
    }
  }

  void ExpectTeacherForced(TokenPath path, size_t at_once) {
    const boost::json::value& golden = TeacherForced();
    const auto gaps = boost::json::value_to<std::vector<double>>(golden.at("top2_gap"));
    testing::ExpectAgreement(
        testing::Compare(*decoder_, {Ids(golden.at("prompt_ids")), Ids(golden.at("argmax")), gaps},
                         path, at_once),
        golden.at("perplexity").to_number<double>());
  }

  /// The error's root mean square is within 1 % of the reference's, for K and V of each layer.
  void ExpectKv(TokenPath path) {
    const auto bytes = testing::ReadFile(kFixtures + "/kv_2ltd_first20.f16.bin");
    if (!bytes) GTEST_SKIP() << "no " << kFixtures << "/kv_2ltd_first20.f16.bin";
    const std::vector<int32_t> tokens = Ids(TeacherForced().at("prompt_ids"));
    testing::TestPool pool(model_->config(), 64);
    TestSequence sequence(pool, 64);
    sequence.Run(*decoder_, {tokens.data(), 20}, path, LogitRows::kNone);
    const double relative =
        testing::RelativeKvError(sequence.KvBytes(20), model_->config().dtype, *bytes);
    std::printf("KV error %.4f %% of RMS\n", 100 * relative);
    EXPECT_LT(relative, 0.01);
  }

  boost::json::value golden_;
  std::unique_ptr<GgufModel> model_;
  std::unique_ptr<Decoder> decoder_;
};

TEST_F(DecoderGolden, GreedyTexts) {
  for (const char* kind : {"chat", "raw"}) {
    for (const boost::json::value& golden : golden_.at(kind).as_array()) {
      SCOPED_TRACE(boost::json::serialize(golden.at("text")));
      ExpectGreedy(golden);
    }
  }
}

TEST_F(DecoderGolden, TeacherForcedThroughPrefill) {
  ExpectTeacherForced(TokenPath::kPrefill, 300);
}

TEST_F(DecoderGolden, TeacherForcedThroughDecode) { ExpectTeacherForced(TokenPath::kDecode, 1); }

TEST_F(DecoderGolden, KvOfPrefill) { ExpectKv(TokenPath::kPrefill); }

TEST_F(DecoderGolden, KvOfDecode) { ExpectKv(TokenPath::kDecode); }

}  // namespace
}  // namespace tandem::model
