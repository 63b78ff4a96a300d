#include "compute/ops/decode_linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;
using testing::RandomWeights;

void SetRows(const DecodeLinear& linear, const std::vector<float>& x, DecodeInput* input) {
  const int64_t columns = linear.inputs(), rows = static_cast<int64_t>(x.size()) / columns;
  linear.ResizeInput(rows, *input);
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(x.data() + row * columns, columns, input->Row(row));
    linear.PrepareRow(row, *input);
  }
}

class DecodeLinearTest : public ::testing::TestWithParam<std::tuple<WeightFormat, CpuTarget>> {
 protected:
  void SetUp() override {
    if (target() > HighestCpuTarget()) GTEST_SKIP() << "this processor has no such instructions";
  }

  WeightFormat format() const { return std::get<0>(GetParam()); }
  CpuTarget target() const { return std::get<1>(GetParam()); }

  /// At least as many, in whole blocks of the format.
  int64_t columns(int64_t least) const {
    const int64_t block = BlockElements(format());
    return (least + block - 1) / block * block;
  }

  /// Where the quants stand in a row of one block, and how many bytes they are.
  std::pair<size_t, size_t> QuantBytes(size_t row_bytes) const {
    switch (format()) {
      case WeightFormat::kQ4_0:
      case WeightFormat::kQ4_1:
        return {row_bytes - 16, 16};
      case WeightFormat::kQ8_0:
        return {row_bytes - 32, 32};
      case WeightFormat::kQ4_K:
      case WeightFormat::kQ5_K:
        return {16, row_bytes - 16};
      case WeightFormat::kQ6_K:
        return {0, 192};
      default:
        return {0, 0};
    }
  }

  std::vector<float> Run(const DecodeLinear& linear, const std::vector<float>& x,
                         ThreadPool& pool) {
    const int64_t rows = static_cast<int64_t>(x.size()) / linear.inputs();
    std::vector<float> y(rows * linear.outputs());
    DecodeInput input;
    SetRows(linear, x, &input);
    linear.Run(input, y.data(), DecodeLinear::Output::kWrite, pool);
    return y;
  }
};

TEST_P(DecodeLinearTest, MultipliesAsFloat64Does) {
  ThreadPool pool(2);
  // More outputs than are laid out at once, which end within a tile.
  const RandomWeights weights(format(), 552, columns(160), 1);
  const std::vector<float> x = RandomFloats(7 * columns(160), 3.0f, 2);
  const DecodeLinear linear(std::array{weights.View()}, target(), pool);
  const std::vector<float> y = Run(linear, x, pool);
  const std::vector<double> expected = Multiply(weights, x);
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 4e-3) << i;
}

TEST_P(DecodeLinearTest, AddsToWhatIsThere) {
  ThreadPool pool(2);
  const RandomWeights weights(format(), 37, columns(96), 9);
  const std::vector<float> x = RandomFloats(66 * columns(96), 1.0f, 10);
  const DecodeLinear linear(std::array{weights.View()}, target(), pool);
  const std::vector<float> product = Run(linear, x, pool);
  const std::vector<float> before = RandomFloats(product.size(), 1.0f, 11);
  std::vector<float> sum = before;
  DecodeInput input;
  SetRows(linear, x, &input);
  linear.Run(input, sum.data(), DecodeLinear::Output::kAdd, pool);
  for (size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], before[i] + product[i]) << i;
}

TEST_P(DecodeLinearTest, PartsStandOneBelowTheOther) {
  ThreadPool pool(2);
  const RandomWeights first(format(), 24, columns(64), 3),
      second(WeightFormat::kFloat32, 40, columns(64), 4);
  const std::vector<float> x = RandomFloats(70 * columns(64), 1.0f, 5);
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
  const RandomWeights weights(format(), 136, columns(96), 6);
  const DecodeLinear linear(std::array{weights.View()}, target(), one);
  const std::vector<float> x = RandomFloats(29 * columns(96), 2.0f, 7);
  const std::vector<float> together = Run(linear, x, three);
  for (int row = 0; row < 29; ++row) {
    const std::vector<float> alone(x.begin() + row * columns(96),
                                   x.begin() + (row + 1) * columns(96));
    const std::vector<float> y = Run(linear, alone, one);
    ASSERT_EQ(std::memcmp(y.data(), together.data() + row * 136, 136 * sizeof(float)), 0) << row;
  }
}

TEST_P(DecodeLinearTest, ExtremesOfQuantsAndActivationsDoNotOverflow) {
  if (format() == WeightFormat::kGptqInt4) GTEST_SKIP() << "its quants are those of Q4_1";
  ThreadPool pool(1);
  RandomWeights weights(format(), 16, columns(32), 8);
  const size_t row_bytes = weights.bytes.size() / 16;
  const auto [first, quants] = QuantBytes(row_bytes);
  for (const int quant : {0x00, 0x7f, 0x80, 0xff}) {
    for (size_t row = 0; row < 16; ++row) {
      std::fill_n(weights.bytes.begin() + (row * row_bytes + first), quants,
                  static_cast<std::byte>(quant));
    }
    const DecodeLinear linear(std::array{weights.View()}, target(), pool);
    for (const float value : {1.0f, -1.0f, 0.0f}) {
      const std::vector<float> x(columns(32), value);
      const float expected = static_cast<float>(Multiply(weights, x)[0]);
      EXPECT_NEAR(Run(linear, x, pool)[0], expected, 1e-5 + 1e-5 * std::abs(expected))
          << quant << " times " << value;
    }
  }
}

/// Two layers with the same inputs may have been quantised in different orders.
TEST(DecodeLinearOrder, PartsReadTheInputsEachInItsOwnOrder) {
  ThreadPool pool(2);
  const auto target = SelectCpuTarget();
  ASSERT_TRUE(target.ok()) << target.status();
  const RandomWeights first(WeightFormat::kGptqInt4, 24, 192, 1),
      second(WeightFormat::kGptqInt4, 40, 192, 2), third(WeightFormat::kQ4_1, 8, 192, 3);
  ASSERT_NE(first.column_order, second.column_order);
  const std::vector<float> x = RandomFloats(3 * 192, 1.0f, 4);
  const DecodeLinear linear(std::array{first.View(), second.View(), third.View()}, *target, pool);
  std::vector<float> y(3 * 72);
  DecodeInput input;
  SetRows(linear, x, &input);
  linear.Run(input, y.data(), DecodeLinear::Output::kWrite, pool);
  int offset = 0;
  for (const RandomWeights* weights : {&first, &second, &third}) {
    const std::vector<double> expected = Multiply(*weights, x);
    for (int row = 0; row < 3; ++row) {
      for (int o = 0; o < weights->rows; ++o) {
        ASSERT_NEAR(y[row * 72 + offset + o], expected[row * weights->rows + o], 4e-3);
      }
    }
    offset += static_cast<int>(weights->rows);
  }
}

std::string NameOf(const ::testing::TestParamInfo<DecodeLinearTest::ParamType>& info) {
  constexpr const char* kFormats[] = {"F32",  "F16",      "BF16", "Q4_0", "Q4_1",
                                      "Q8_0", "GptqInt4", "Q4_K", "Q5_K", "Q6_K"};
  return std::string(kFormats[static_cast<int>(std::get<0>(info.param))]) + "_" +
         std::string(CpuTargetName(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(
    FormatsAndTargets, DecodeLinearTest,
    ::testing::Combine(
        ::testing::Values(WeightFormat::kFloat32, WeightFormat::kFloat16, WeightFormat::kBFloat16,
                          WeightFormat::kQ4_0, WeightFormat::kQ4_1, WeightFormat::kQ8_0,
                          WeightFormat::kGptqInt4, WeightFormat::kQ4_K, WeightFormat::kQ5_K,
                          WeightFormat::kQ6_K),
        ::testing::Values(CpuTarget::kPortable, CpuTarget::kAvx2, CpuTarget::kAvx512Vnni)),
    NameOf);

}  // namespace
}  // namespace tandem::compute
