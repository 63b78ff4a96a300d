#include "engine/output_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_tokenizer.h"

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OutputAssemblerTest : public ::testing::Test {
 protected:
  // Appends the tokens until the output is finished; returns all of it.
  EngineOutput Assemble(const std::vector<int32_t>& tokens, int silent = 0) {
    OutputAssembler assembler(request_, tokenizer_, end_);
    for (const int32_t token : tokens) {
      if (assembler.finished()) break;
      assembler.Append(token, std::nullopt, assembler.generated() >= silent);
    }
    return assembler.Take();
  }

  testing::FakeTokenizer tokenizer_;
  EndTokens end_ = {.ids = {0, 40}, .primary = 0, .max_model_len = 100};
  EngineRequest request_ = {.id = "r", .prompt = {1, 2, 3}, .sampling = {.max_tokens = 20}};
};

TEST_F(OutputAssemblerTest, EndsAtTheEndOfSequenceWithoutItsText) {
  request_.sampling.skip_special_tokens = false;
  const EngineOutput output = Assemble({8, 9, 0});
  EXPECT_EQ(output.text, "hi");
  EXPECT_THAT(output.tokens, ElementsAre(8, 9, 0));
  EXPECT_TRUE(output.finished);
  EXPECT_EQ(output.reason, FinishReason::kStop);
  EXPECT_EQ(output.stop_reason, "");
}

TEST_F(OutputAssemblerTest, NamesAStopTokenAndIncludesItIfAsked) {
  request_.sampling.stop_token_ids = {33};
  request_.sampling.include_stop_str_in_output = true;
  const EngineOutput output = Assemble({8, 33});
  EXPECT_EQ(output.text, "h[33]");
  EXPECT_EQ(output.stop_reason, "33");
  EXPECT_EQ(Assemble({40}).stop_reason, "40") << "an end that is not the tokenizer's own";
}

TEST_F(OutputAssemblerTest, IgnoresTheEndIfAsked) {
  request_.sampling.ignore_eos = true;
  request_.sampling.max_tokens = 3;
  const EngineOutput output = Assemble({0, 0, 8});
  EXPECT_EQ(output.text, "h");
  EXPECT_EQ(output.reason, FinishReason::kLength);
}

TEST_F(OutputAssemblerTest, EndsAtMaxModelLen) {
  end_.max_model_len = 5;
  EXPECT_THAT(Assemble({8, 9, 8}).tokens, ElementsAre(8, 9));
}

TEST_F(OutputAssemblerTest, HoldsBackHalfACharacterAndShowsItBroken) {
  request_.sampling.max_tokens = 3;
  EXPECT_EQ(Assemble({28}).text, "");
  EXPECT_EQ(Assemble({28, 29}).text, "\xc3\xa9");
  EXPECT_EQ(Assemble({8, 9, 28}).text, "hi\xef\xbf\xbd");
}

TEST_F(OutputAssemblerTest, AStopStringCutsTheTextButNotTheTokens) {
  request_.sampling.stop = {"stop"};
  const EngineOutput output = Assemble({8, 19, 31, 8});
  EXPECT_EQ(output.text, "h");
  EXPECT_THAT(output.tokens, ElementsAre(8, 19, 31));
  EXPECT_EQ(output.reason, FinishReason::kStop);
  EXPECT_EQ(output.stop_reason, "stop");
}

TEST_F(OutputAssemblerTest, AStopStringInTheLastTokenIsAStopNotALength) {
  request_.sampling.stop = {"top"};
  request_.sampling.max_tokens = 1;
  const EngineOutput output = Assemble({30});
  EXPECT_EQ(output.text, "s");
  EXPECT_EQ(output.reason, FinishReason::kStop);
}

TEST_F(OutputAssemblerTest, MinTokensPutsStopsOff) {
  request_.sampling.stop = {"stop"};
  request_.sampling.min_tokens = 2;
  EXPECT_EQ(Assemble({30, 8, 30}).text, "stoph");
  request_.sampling.stop_token_ids = {8};
  EXPECT_THAT(Assemble({8, 8, 8}).tokens, ElementsAre(8, 8));
}

TEST_F(OutputAssemblerTest, MinTokensBansTheEndEvenWhereItIsIgnored) {
  request_.sampling.stop_token_ids = {8};
  request_.sampling.ignore_eos = true;
  EXPECT_THAT(StopChecker(request_.sampling, end_).EndTokenIds(), ElementsAre(8, 0, 40));
}

TEST_F(OutputAssemblerTest, TextHeldAtTheEndIsShown) {
  request_.sampling.stop = {"stop"};
  request_.sampling.max_tokens = 2;
  EXPECT_EQ(Assemble({8, 19}).text, "hs");
}

TEST_F(OutputAssemblerTest, WhatTheClientHasMovesTheStateOnly) {
  request_.sampling.stop = {"stop"};
  const EngineOutput output = Assemble({8, 19, 9}, 2);
  EXPECT_THAT(output.tokens, ElementsAre(9));
  EXPECT_EQ(output.text, "si") << "the s was held back when its token was sent";
  const EngineOutput ended = Assemble({8, 30}, 2);
  EXPECT_THAT(ended.tokens, IsEmpty());
  EXPECT_TRUE(ended.finished);
}

TEST_F(OutputAssemblerTest, GivesLogprobsForEveryTokenIfAsked) {
  request_.sampling.logprobs = 0;
  const EngineOutput output = Assemble({8, 9});
  ASSERT_EQ(output.logprobs.size(), 2u);
  EXPECT_EQ(output.logprobs[1].token, 9);
  EXPECT_EQ(output.logprobs[1].rank, 0) << "unknown";
}

}  // namespace
}  // namespace tandem::engine
