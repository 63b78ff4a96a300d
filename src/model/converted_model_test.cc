#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "model/testing/files.h"
#include "model/testing/golden.h"

namespace tandem::model {
namespace {

/// The demo model in other formats, as tests/checkpoints/make_smollm2_checkpoints.py converts it,
/// against a float32 run over the same numbers.
class ConvertedModel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string directory = std::string(TANDEM_CHECKPOINTS "/") + GetParam();
    const auto golden = testing::ReadFile(directory + "/golden.json");
    if (!golden) GTEST_SKIP() << "no " << directory << "/golden.json";
    golden_ = boost::json::parse(*golden).at("teacher_forced");
    auto checkpoint = testing::LoadCheckpoint(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    checkpoint_ = *std::move(checkpoint);
  }

  void ExpectTeacherForced(TokenPath path) {
    const testing::TeacherForced golden = {
        testing::Ids(golden_.at("prompt_ids")), testing::Ids(golden_.at("argmax_every_position")),
        boost::json::value_to<std::vector<double>>(golden_.at("top2_gap_every_position"))};
    testing::ExpectAgreement(testing::Compare(*checkpoint_.decoder, golden, path, 256),
                             golden_.at("perplexity").to_number<double>());
  }

  boost::json::value golden_;
  testing::LoadedCheckpoint checkpoint_;
};

TEST_P(ConvertedModel, TeacherForcedThroughPrefill) { ExpectTeacherForced(TokenPath::kPrefill); }

TEST_P(ConvertedModel, TeacherForcedThroughDecode) { ExpectTeacherForced(TokenPath::kDecode); }

INSTANTIATE_TEST_SUITE_P(Formats, ConvertedModel, ::testing::Values("smollm2_bf16", "smollm2_gptq"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tandem::model
