#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/decoder.h"
#include "model/gguf_model.h"
#include "model/testing/files.h"
#include "model/testing/invariance.h"
#include "model/testing/random_schedule.h"
#include "model/testing/test_sequence.h"
#include "model/testing/tiny_model.h"

namespace tandem::model {
namespace {

using testing::Computed;
using testing::RandomSchedule;
using testing::TestPool;
using testing::TestSequence;
using testing::Text;
using testing::TinyModelOptions;

class DecoderInvariance : public ::testing::TestWithParam<WeightType> {
 protected:
  void SetUp() override {
    bytes_ = testing::TinyModelBytes(Options());
    auto model = GgufModel::FromBytes(std::as_bytes(std::span(bytes_)));
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    for (int threads = 1; threads <= 3; ++threads) {
      for (const bool unpacking : {false, true}) {
        const DecoderOptions options = unpacking ? DecoderOptions{0} : DecoderOptions{};
        auto decoder = Decoder::Load(model_->config(), *model_, threads, options);
        ASSERT_TRUE(decoder.ok()) << decoder.status();
        decoders_.push_back(*std::move(decoder));
      }
    }
  }

  TinyModelOptions Options() const {
    TinyModelOptions options;
    options.hidden_size = 96;
    options.heads = 6;
    options.kv_heads = 2;
    options.intermediate_size = 160;
    options.weight_type = GetParam();
    if (BlockElements(GetParam()) == 256) {
      options.hidden_size = 256;
      options.heads = 4;
      options.kv_heads = 1;
      options.intermediate_size = 256;
    }
    return options;
  }

  std::string bytes_;
  std::unique_ptr<GgufModel> model_;
  // Of 1, 2 and 3 threads, with and without prefill's copy of the weights.
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

TEST_P(DecoderInvariance, RandomSchedulesGiveTheSameBits) {
  RandomSchedule schedule(decoders_, 20240611);
  testing::ExpectSameBitsInSchedules(schedule, 40, 700);
}

TEST_P(DecoderInvariance, OtherTokensGiveOtherBits) {
  RandomSchedule schedule(decoders_, 1);
  Text text = schedule.RandomText(50, 12);
  const Computed one = schedule.RunAlone(text);
  text.tokens[0] = (text.tokens[0] + 1) % model_->config().vocab_size;
  const Computed other = schedule.RunAlone(text);
  EXPECT_NE(one.logits.back(), other.logits.back());
  EXPECT_FALSE(one.kv == other.kv);
}

TEST_P(DecoderInvariance, LastRowIsTheLastOfAll) {
  RandomSchedule schedule(decoders_, 2);
  const Text text = schedule.RandomText(80, 12);
  const Computed all = schedule.RunAlone(text);
  TestPool pool(model_->config(), 128);
  TestSequence sequence(pool, 128);
  const Logits last = sequence.Run(*decoders_[1], {text.tokens.data(), size_t(text.prompt)},
                                   TokenPath::kPrefill, LogitRows::kLast);
  ASSERT_EQ(last.rows, 1);
  const std::vector<float> row(last.Row(0).begin(), last.Row(0).end());
  EXPECT_EQ(std::memcmp(row.data(), all.logits[text.prompt - 1].data(), row.size() * sizeof(float)),
            0);
}

/// The demo model. TANDEM_TEST_ROUNDS says how many schedules, instead of a few.
TEST(DemoModelInvariance, RandomSchedulesGiveTheSameBits) {
  const auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
  if (!path) GTEST_SKIP() << "no demo model: set TANDEM_TEST_MODEL or run make demo";
  const auto model = GgufModel::Open(*path);
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::unique_ptr<Decoder>> decoders;
  for (const auto& [threads, options] :
       {std::pair{1, DecoderOptions{}}, {2, DecoderOptions{}}, {2, DecoderOptions{0}}}) {
    auto decoder = Decoder::Load((*model)->config(), **model, threads, options);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoders.push_back(*std::move(decoder));
  }
  const char* rounds = std::getenv("TANDEM_TEST_ROUNDS");
  RandomSchedule schedule(decoders, 20240612);
  testing::ExpectSameBitsInSchedules(schedule, rounds == nullptr ? 4 : std::atoi(rounds), 300);
}

std::string NameOf(const ::testing::TestParamInfo<WeightType>& info) {
  switch (info.param) {
    case WeightType::kF32:
      return "F32";
    case WeightType::kF16:
      return "F16";
    case WeightType::kBF16:
      return "BF16";
    case WeightType::kQ4_0:
      return "Q4_0";
    case WeightType::kQ4_1:
      return "Q4_1";
    case WeightType::kQ8_0:
      return "Q8_0";
    case WeightType::kQ4_K:
      return "Q4_K";
    case WeightType::kQ5_K:
      return "Q5_K";
    case WeightType::kQ6_K:
      return "Q6_K";
    case WeightType::kI32:
      break;
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Formats, DecoderInvariance,
                         ::testing::Values(WeightType::kF32, WeightType::kF16, WeightType::kBF16,
                                           WeightType::kQ4_0, WeightType::kQ4_1, WeightType::kQ8_0,
                                           WeightType::kQ4_K, WeightType::kQ5_K, WeightType::kQ6_K),
                         NameOf);

}  // namespace
}  // namespace tandem::model
