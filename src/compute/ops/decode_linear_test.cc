#include "compute/ops/decode_linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;
using testing::RandomWeights;

class DecodeLinearTest : public ::testing::TestWithParam<std::tuple<WeightFormat, CpuTarget>> {
 protected:
  void SetUp() override {
    if (target() > HighestCpuTarget()) GTEST_SKIP() << "this processor has no such instructions";
  }

  WeightFormat format() const { return std::get<0>(GetParam()); }
  CpuTarget target() const { return std::get<1>(GetParam()); }

  std::vector<float> Run(const DecodeLinear& linear, const std::vector<float>& x,
                         ThreadPool& pool) {
    const int64_t rows = static_cast<int64_t>(x.size()) / linear.inputs();
    std::vector<float> y(rows * linear.outputs());
    QuantizedActivations scratch;
    linear.Run(x.data(), rows, y.data(), scratch, pool);
    return y;
  }
};

TEST_P(DecodeLinearTest, MultipliesAsFloat64Does) {
  ThreadPool pool(2);
  // 37 outputs end within a tile.
  const RandomWeights weights(format(), 37, 160, 1);
  const std::vector<float> x = RandomFloats(7 * 160, 3.0f, 2);
  const DecodeLinear linear(std::array{weights.View()}, target(), pool);
  const std::vector<float> y = Run(linear, x, pool);
  const std::vector<double> expected = Multiply(weights, x);
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 4e-3) << i;
}

TEST_P(DecodeLinearTest, PartsStandOneBelowTheOther) {
  ThreadPool pool(2);
  const RandomWeights first(format(), 24, 64, 3), second(WeightFormat::kFloat32, 40, 64, 4);
  const std::vector<float> x = RandomFloats(70 * 64, 1.0f, 5);
  const DecodeLinear linear(std::array{first.View(), second.View()}, target(), pool);
  const std::vector<float> y = Run(linear, x, pool);
  const std::vector<double> upper = Multiply(first, x), lower = Multiply(second, x);
  for (int row = 0; row < 70; ++row) {
    for (int o = 0; o < 24; ++o) ASSERT_NEAR(y[row * 64 + o], upper[row * 24 + o], 2e-3);
    for (int o = 0; o < 40; ++o) ASSERT_NEAR(y[row * 64 + 24 + o], lower[row * 40 + o], 2e-3);
  }
}

TEST_P(DecodeLinearTest, RowsHaveTheSameBitsInAnyCompanyAndOnAnyThreads) {
  ThreadPool one(1), three(3);
  const RandomWeights weights(format(), 130, 96, 6);
  const DecodeLinear linear(std::array{weights.View()}, target(), one);
  const std::vector<float> x = RandomFloats(29 * 96, 2.0f, 7);
  const std::vector<float> together = Run(linear, x, three);
  for (int row = 0; row < 29; ++row) {
    const std::vector<float> alone(x.begin() + row * 96, x.begin() + (row + 1) * 96);
    const std::vector<float> y = Run(linear, alone, one);
    ASSERT_EQ(std::memcmp(y.data(), together.data() + row * 130, 130 * sizeof(float)), 0) << row;
  }
}

TEST_P(DecodeLinearTest, ExtremesOfQuantsAndActivationsDoNotOverflow) {
  ThreadPool pool(1);
  RandomWeights weights(format(), 16, 32, 8);
  const size_t row_bytes = weights.bytes.size() / 16;
  const size_t quants = format() == WeightFormat::kQ8_0 ? 32 : IsQuantized(format()) ? 16 : 0;
  for (const int quant : {0x00, 0x7f, 0x80, 0xff}) {
    for (size_t row = 0; row < 16; ++row) {
      std::fill_n(weights.bytes.begin() + ((row + 1) * row_bytes - quants), quants,
                  static_cast<std::byte>(quant));
    }
    const DecodeLinear linear(std::array{weights.View()}, target(), pool);
    for (const float value : {1.0f, -1.0f, 0.0f}) {
      const std::vector<float> x(32, value);
      const float expected = static_cast<float>(Multiply(weights, x)[0]);
      EXPECT_NEAR(Run(linear, x, pool)[0], expected, 1e-5 + 1e-5 * std::abs(expected))
          << quant << " times " << value;
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<DecodeLinearTest::ParamType>& info) {
  constexpr const char* kFormats[] = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"};
  return std::string(kFormats[static_cast<int>(std::get<0>(info.param))]) + "_" +
         std::string(CpuTargetName(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(
    FormatsAndTargets, DecodeLinearTest,
    ::testing::Combine(
        ::testing::Values(WeightFormat::kFloat32, WeightFormat::kFloat16, WeightFormat::kBFloat16,
                          WeightFormat::kQ4_0, WeightFormat::kQ4_1, WeightFormat::kQ8_0),
        ::testing::Values(CpuTarget::kPortable, CpuTarget::kAvx2, CpuTarget::kAvx512Vnni)),
    NameOf);

}  // namespace
}  // namespace tandem::compute
