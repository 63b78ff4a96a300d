#include <gtest/gtest.h>

#include "compute/cpu_features.h"

namespace tandem::compute {
namespace {

/// Lets TANDEM_CPU_TARGET choose which kernels the tests run.
class CpuTargetEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const auto target = SelectCpuTarget();
    ASSERT_TRUE(target.ok()) << target.status();
  }
};

const ::testing::Environment* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new CpuTargetEnvironment);

}  // namespace
}  // namespace tandem::compute
