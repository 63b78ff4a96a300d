#include "cli/kv_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using ::testing::HasSubstr;

/// A layout whose block of 16 tokens takes 16 KiB.
KvBudgetRequest Request() {
  return {.layout = {.layers = 2, .kv_heads = 2, .head_dim = 64},
          .model_positions = 1024,
          .available_bytes = uint64_t{1} << 30,
          .max_num_seqs = 4};
}

TEST(KvBudgetTest, TakesWhatAllSequencesCanUse) {
  const auto budget = PlanKvBudget(Request());
  ASSERT_TRUE(budget.ok());
  EXPECT_EQ(budget->blocks, 4 * 64);
  EXPECT_EQ(budget->max_model_len, 1024);
}

TEST(KvBudgetTest, TakesAQuarterOfTheMemoryAtMost) {
  KvBudgetRequest request = Request();
  request.available_bytes = 4 * 80 * (16 << 10);
  const auto budget = PlanKvBudget(request);
  ASSERT_TRUE(budget.ok());
  EXPECT_EQ(budget->blocks, 80);
}

TEST(KvBudgetTest, AContextThatNobodyAskedForShrinksToTheMemory) {
  KvBudgetRequest request = Request();
  request.memory_bytes = 10 * (16 << 10);
  const auto budget = PlanKvBudget(request);
  ASSERT_TRUE(budget.ok());
  EXPECT_EQ(budget->blocks, 10);
  EXPECT_EQ(budget->max_model_len, 160);
}

TEST(KvBudgetTest, AContextThatWasAskedForMustFit) {
  KvBudgetRequest request = Request();
  request.memory_bytes = 10 * (16 << 10);
  request.max_model_len = 161;
  EXPECT_THAT(std::string(PlanKvBudget(request).status().message()),
              HasSubstr("hold 160 tokens; 161 tokens (--max-model-len) need 180224 bytes"));
  request.max_model_len = 2000;
  EXPECT_THAT(std::string(PlanKvBudget(request).status().message()),
              HasSubstr("--max-model-len: 2000 is not accepted; the model takes 1 to 1024"));
}

}  // namespace
}  // namespace tandem::cli
