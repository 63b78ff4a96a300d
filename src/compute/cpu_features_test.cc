#include "compute/cpu_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace tandem::compute {
namespace {

TEST(CpuFeatures, NamesParseBack) {
  for (const CpuTarget target : {CpuTarget::kPortable, CpuTarget::kAvx2, CpuTarget::kAvx512,
                                 CpuTarget::kAvx512Vnni, CpuTarget::kAvx512Bf16, CpuTarget::kAmx}) {
    const auto parsed = ParseCpuTarget(CpuTargetName(target));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, target);
  }
}

TEST(CpuFeatures, UnknownNameIsAnErrorThatListsTheNames) {
  // Other tests of the program run on the target that was chosen for them.
  const char* chosen = std::getenv("TANDEM_CPU_TARGET");
  const std::string before = chosen == nullptr ? "" : chosen;
  ASSERT_EQ(setenv("TANDEM_CPU_TARGET", "avx3", 1), 0);
  const auto target = SelectCpuTarget();
  ASSERT_EQ(setenv("TANDEM_CPU_TARGET", before.c_str(), 1), 0);
  ASSERT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(target.status().message()),
      ::testing::AllOf(::testing::HasSubstr("TANDEM_CPU_TARGET"), ::testing::HasSubstr("'avx3'"),
                       ::testing::HasSubstr("avx512_vnni")));
}

}  // namespace
}  // namespace tandem::compute
