#include "compute/ops/prefill_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;
using testing::RandomWeights;

constexpr int kRows = PrefillLinear::kTileRows;

class PrefillLinearTest : public ::testing::TestWithParam<MatrixType> {
 protected:
  void SetUp() override {
    const auto target = SelectCpuTarget();
    ASSERT_TRUE(target.ok()) << target.status();
    if (GetParam() == MatrixType::kBFloat16 && MatrixTypeFor(*target) != MatrixType::kBFloat16) {
      GTEST_SKIP() << "there are no bfloat16 products on " << CpuTargetName(*target);
    }
  }

  /// Runs one tile, its slabs shared by the pool's threads.
  std::vector<float> Run(const PrefillLinear& linear, const std::vector<float>& x,
                         ThreadPool& pool) {
    std::vector<std::byte> input(x.size() * SizeOf(GetParam()));
    StoreMatrixInput(GetParam(), x.data(), static_cast<int64_t>(x.size()), input.data());
    std::vector<float> y(kRows * linear.outputs());
    pool.ParallelFor(linear.slabs(), [&](int64_t slab, int thread) {
      linear.RunSlab(static_cast<int>(slab), input.data(), y.data(), thread);
    });
    return y;
  }
};

TEST_P(PrefillLinearTest, MultipliesAsFloat64Does) {
  ThreadPool pool(2);
  const RandomWeights weights(WeightFormat::kQ4_1, 1100, 192, 1);
  const auto linear = PrefillLinear::Create(std::array{weights.View()}, GetParam(), pool);
  ASSERT_TRUE(linear.ok()) << linear.status();
  const std::vector<float> x = RandomFloats(kRows * 192, 1.0f, 2);
  const std::vector<float> y = Run(*linear, x, pool);
  const std::vector<double> expected = Multiply(weights, x);
  // bfloat16 has 8 bits; an error of 2^-9 for each factor adds up like a random walk.
  const double tolerance = GetParam() == MatrixType::kFloat32 ? 1e-4 : 0.12;
  for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], tolerance) << i;
}

TEST_P(PrefillLinearTest, PartsAndRowOrderAreGathered) {
  ThreadPool pool(1);
  const RandomWeights first(WeightFormat::kFloat32, 70, 32, 3),
      second(WeightFormat::kQ8_0, 50, 32, 4);
  std::vector<int32_t> order(70);
  for (int i = 0; i < 70; ++i) order[i] = 69 - i;
  WeightMatrix reversed = first.View();
  reversed.row_order = order;
  const auto linear = PrefillLinear::Create(std::array{reversed, second.View()}, GetParam(), pool);
  ASSERT_TRUE(linear.ok()) << linear.status();
  const std::vector<float> x = RandomFloats(kRows * 32, 1.0f, 5);
  const std::vector<float> y = Run(*linear, x, pool);
  const std::vector<double> upper = Multiply(first, x), lower = Multiply(second, x);
  for (int row = 0; row < kRows; ++row) {
    for (int o = 0; o < 70; ++o) ASSERT_NEAR(y[row * 120 + o], upper[row * 70 + 69 - o], 0.06);
    for (int o = 0; o < 50; ++o) ASSERT_NEAR(y[row * 120 + 70 + o], lower[row * 50 + o], 0.06);
  }
}

/// Sizes of the demo model and odd ones.
TEST_P(PrefillLinearTest, RowsHaveTheSameBitsInAnyPlaceAndCompany) {
  ThreadPool one(1), three(3);
  const std::pair<int, int> sizes[] = {{960, 576}, {576, 1536}, {3072, 576}, {37, 48}, {288, 33}};
  for (const auto& [outputs, inputs] : sizes) {
    const RandomWeights weights(WeightFormat::kFloat32, outputs, inputs, 6);
    const auto linear = PrefillLinear::Create(std::array{weights.View()}, GetParam(), three);
    ASSERT_TRUE(linear.ok()) << linear.status();
    const auto other = PrefillLinear::Create(std::array{weights.View()}, GetParam(), one);
    ASSERT_TRUE(other.ok()) << other.status();
    const std::vector<float> x = RandomFloats(kRows * inputs, 1.0f, 7);
    const std::vector<float> together = Run(*linear, x, three);
    for (int row = 0; row < kRows; row += 7) {
      for (const int place : {0, 1, 31, 63}) {
        std::vector<float> alone(kRows * inputs, 0.0f);
        std::copy_n(x.begin() + row * inputs, inputs, alone.begin() + place * inputs);
        const std::vector<float> y = Run(*other, alone, one);
        ASSERT_EQ(std::memcmp(y.data() + place * outputs, together.data() + row * outputs,
                              outputs * sizeof(float)),
                  0)
            << outputs << " x " << inputs << ", row " << row << " in place " << place;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PrefillLinearTest,
                         ::testing::Values(MatrixType::kFloat32, MatrixType::kBFloat16));

}  // namespace
}  // namespace tandem::compute
