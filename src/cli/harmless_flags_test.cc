#include "cli/harmless_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kKnown = {"--port", "--max-model-len", "--tensor-parallel-size"};

std::string ErrorOf(const Arguments& arguments) {
  return std::string(SiftArguments(arguments, kKnown).status().message());
}

TEST(HarmlessFlagsTest, TakesOutFlagsAndTheirValues) {
  const auto sifted = SiftArguments(
      {"--swap-space", "4", "model", "--enforce-eager", "--port", "1", "--load-format=auto"},
      kKnown);
  ASSERT_TRUE(sifted.ok());
  EXPECT_THAT(sifted->arguments, ElementsAre("model", "--port", "1"));
  EXPECT_THAT(sifted->warnings,
              ElementsAre(HasSubstr("--swap-space has no effect: there is no GPU memory"),
                          HasSubstr("--enforce-eager"), HasSubstr("--load-format")));
}

TEST(HarmlessFlagsTest, UnderscoresAndShortFormsAreTheLongFlags) {
  const auto sifted = SiftArguments({"--max_model_len=5_0", "-tp", "1"}, kKnown);
  ASSERT_TRUE(sifted.ok());
  EXPECT_THAT(sifted->arguments, ElementsAre("--max-model-len=5_0", "--tensor-parallel-size", "1"));
  EXPECT_THAT(sifted->warnings, IsEmpty());
}

TEST(HarmlessFlagsTest, AnUnknownFlagIsNamedWithTheNearest) {
  EXPECT_THAT(ErrorOf({"--max-model-length=5"}),
              HasSubstr("unknown flag --max-model-length; did you mean --max-model-len?"));
  EXPECT_THAT(ErrorOf({"--enforce-eage"}), HasSubstr("did you mean --enforce-eager?"));
}

TEST(HarmlessFlagsTest, AMissingValueIsSaid) {
  EXPECT_THAT(ErrorOf({"--swap-space"}), HasSubstr("--swap-space needs a value"));
  EXPECT_THAT(ErrorOf({"--swap-space", "--port", "1"}), HasSubstr("--swap-space needs a value"));
}

}  // namespace
}  // namespace tandem::cli
