#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute/float_conversion.h"
#include "model/decoder.h"
#include "model/gguf_model.h"
#include "model/testing/files.h"
#include "model/testing/test_sequence.h"

namespace tandem::model {
namespace {

using testing::ArgMax;
using testing::LogProbability;
using testing::TestSequence;

// Where the first two of the reference are closer, another order of sums may put the second first.
constexpr double kNearTie = 0.05;

const std::string kFixtures = std::string(TANDEM_SOURCE_DIR) + "/../shared/fixtures/smollm2";

std::vector<int32_t> Ids(const boost::json::value& ids) {
  return boost::json::value_to<std::vector<int32_t>>(ids);
}

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

  /// Feeds the 1,200 tokens, `at_once` at a time, and compares every position.
  void ExpectTeacherForced(TokenPath path, size_t at_once) {
    const std::vector<int32_t> tokens = Ids(TeacherForced().at("prompt_ids"));
    const std::vector<int32_t> argmax = Ids(TeacherForced().at("argmax"));
    const auto gaps = boost::json::value_to<std::vector<double>>(TeacherForced().at("top2_gap"));
    testing::TestPool pool(model_->config(), static_cast<int>(tokens.size()));
    TestSequence sequence(pool, static_cast<int>(tokens.size()));
    double negative_log = 0;
    int clear = 0, agreeing = 0;
    for (size_t first = 0; first < tokens.size(); first += at_once) {
      const size_t count = std::min(at_once, tokens.size() - first);
      const Logits logits = sequence.Run(*decoder_, {&tokens[first], count}, path, LogitRows::kAll);
      ASSERT_EQ(logits.rows, static_cast<int>(count));
      for (size_t i = 0; i < count; ++i) {
        const size_t position = first + i;
        if (position + 1 < tokens.size()) {
          negative_log -= LogProbability(logits.Row(i), tokens[position + 1]);
        }
        if (gaps[position] < kNearTie) continue;
        ++clear;
        agreeing += ArgMax(logits.Row(i)) == argmax[position];
      }
    }
    const double perplexity = std::exp(negative_log / static_cast<double>(tokens.size() - 1));
    const double expected = TeacherForced().at("perplexity").to_number<double>();
    RecordProperty("perplexity", std::to_string(perplexity));
    EXPECT_NEAR(perplexity, expected, 0.01 * expected);
    EXPECT_GT(clear, 1000);
    EXPECT_GE(agreeing, 0.99 * clear) << agreeing << " of " << clear;
    std::printf("perplexity %.4f (reference %.4f), argmax %d of %d\n", perplexity, expected,
                agreeing, clear);
  }

  /// The error's root mean square is within 1 % of the reference's, for K and V of each layer.
  void ExpectKv(TokenPath path) {
    const auto bytes = testing::ReadFile(kFixtures + "/kv_2ltd_first20.f16.bin");
    if (!bytes) GTEST_SKIP() << "no " << kFixtures << "/kv_2ltd_first20.f16.bin";
    const std::vector<int32_t> tokens = Ids(TeacherForced().at("prompt_ids"));
    testing::TestPool pool(model_->config(), 64);
    TestSequence sequence(pool, 64);
    sequence.Run(*decoder_, {tokens.data(), 20}, path, LogitRows::kNone);
    const std::vector<std::byte> computed = sequence.KvBytes(20);
    ASSERT_EQ(computed.size(), bytes->size());

    const auto value = [](const void* halves, size_t i) {
      uint16_t half;
      std::memcpy(&half, static_cast<const char*>(halves) + 2 * i, 2);
      return double{compute::Float16ToFloat(half)};
    };
    double squares = 0, error_squares = 0;
    for (size_t i = 0; i < computed.size() / 2; ++i) {
      const double reference = value(bytes->data(), i);
      const double error = value(computed.data(), i) - reference;
      squares += reference * reference;
      error_squares += error * error;
    }
    const double relative = std::sqrt(error_squares / squares);
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
