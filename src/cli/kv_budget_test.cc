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
              HasSubstr("hold 160 tokens; it takes at least 180224 bytes for a context of 161 "
                        "tokens (--max-model-len)"));
  request.max_model_len = 2000;
  EXPECT_THAT(std::string(PlanKvBudget(request).status().message()),
              HasSubstr("--max-model-len: 2000 is not accepted; the model takes 1 to 1024"));
}

TEST(KvBudgetTest, TooLittleMemoryIsToldWhatItTakes) {
  KvBudgetRequest request = Request();
  request.memory_bytes = 1;
  const absl::Status none = PlanKvBudget(request).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(none.message()),
              HasSubstr("--kv-cache-memory: 1 bytes are not accepted, as they hold 0 tokens; it "
                        "takes at least 16384 bytes for a context of 16 tokens"));
  request.memory_bytes.reset();
  request.available_bytes = 4 * 10 * (16 << 10);
  request.max_model_len = 500;
  EXPECT_THAT(std::string(PlanKvBudget(request).status().message()),
              HasSubstr("--max-model-len: 500 is not accepted; it takes 1 to 160 tokens with a "
                        "quarter of the available memory, or --kv-cache-memory of at least 524288 "
                        "bytes"));
}

}  // namespace
}  // namespace tandem::cli
