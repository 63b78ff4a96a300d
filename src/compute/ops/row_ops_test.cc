#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "compute/cpu_features.h"
#include "compute/float_conversion.h"
#include "compute/ops/kv_write.h"
#include "compute/ops/quantize_activations.h"
#include "compute/ops/rms_norm.h"
#include "compute/ops/rope.h"
#include "compute/ops/silu_mul.h"
#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  for (const int columns : {1, 15, 64, 577}) {
    const std::vector<float> x = RandomFloats(columns, 5.0f, 1);
    const std::vector<float> weight = RandomFloats(columns, 2.0f, 2);
    double squares = 0;
    for (const float value : x) squares += double{value} * value;
    const double scale = 1 / std::sqrt(squares / columns + 1e-5);
    std::vector<float> y(columns);
    RmsNorm(x.data(), weight.data(), columns, 1e-5f, y.data());
    for (int i = 0; i < columns; ++i) EXPECT_NEAR(y[i], x[i] * scale * weight[i], 1e-5);
  }
}

TEST(SiluMul, GatesAlsoWhereExpOverflows) {
  std::vector<float> gate = RandomFloats(37, 8.0f, 3);
  gate[0] = -200.0f;
  gate[1] = 200.0f;
  const std::vector<float> up = RandomFloats(37, 3.0f, 4);
  std::vector<float> y(37);
  SiluMul(gate.data(), up.data(), 37, y.data());
  for (int i = 0; i < 37; ++i) {
    EXPECT_NEAR(y[i], gate[i] / (1 + std::exp(-double{gate[i]})) * up[i], 2e-5) << gate[i];
  }
}

TEST(SiluMul, IsRoundedToTheMatrixType) {
  constexpr int kCount = 496;
  std::vector<float> gate = RandomFloats(kCount, 8.0f, 3);
  gate[0] = -200.0f;
  gate[1] = 200.0f;
  gate[2] = 0.0f;
  const std::vector<float> up = RandomFloats(kCount, 3.0f, 4);
  const auto target = SelectCpuTarget();
  ASSERT_TRUE(target.ok()) << target.status();
  for (const MatrixType type : {MatrixType::kFloat32, MatrixType::kBFloat16}) {
    if (type == MatrixType::kBFloat16 && MatrixTypeFor(*target) != type) continue;
    std::vector<std::byte> out(kCount * SizeOf(type));
    SiluMulInput(type, gate.data(), up.data(), kCount, out.data());
    for (int i = 0; i < kCount; ++i) {
      const double expected = gate[i] / (1 + std::exp(-double{gate[i]})) * up[i];
      float value = 0;
      if (type == MatrixType::kFloat32) {
        std::memcpy(&value, out.data() + 4 * i, 4);
        EXPECT_NEAR(value, expected, 2e-5) << gate[i];
      } else {
        uint16_t bits = 0;
        std::memcpy(&bits, out.data() + 2 * i, 2);
        value = BFloat16ToFloat(bits);
        // Half of the last of 8 bits, and what moves the rounding to the other side.
        EXPECT_NEAR(value, expected, std::abs(expected) * 0.00405 + 1e-30) << gate[i];
      }
    }
  }
}

TEST(Rope, RotatesHalvesByPositionTimesFrequency) {
  const Rope rope(100, 16, 10000.0f);
  const std::vector<float> before = RandomFloats(32, 1.0f, 5);
  std::vector<float> x = before;
  rope.Apply(77, 2, x.data());
  for (int head = 0; head < 2; ++head) {
    for (int i = 0; i < 8; ++i) {
      const double angle = 77 * std::pow(10000.0, -i / 8.0);
      const float* pair = &before[head * 16 + i];
      EXPECT_NEAR(x[head * 16 + i], pair[0] * std::cos(angle) - pair[8] * std::sin(angle), 2e-5);
      EXPECT_NEAR(x[head * 16 + i + 8], pair[8] * std::cos(angle) + pair[0] * std::sin(angle),
                  2e-5);
    }
  }
}

TEST(WriteKv, RoundsTiesToEven) {
  const std::vector<float> values = {1.0f, 1.0f + 0x1p-11f, 1.0f + 0x3p-11f, -0x1p-24f, 1e-9f};
  uint16_t half[5];
  WriteKv(DataType::kFloat16, values.data(), 5, reinterpret_cast<std::byte*>(half));
  EXPECT_EQ(half[0], 0x3c00);
  EXPECT_EQ(half[1], 0x3c00);
  EXPECT_EQ(half[2], 0x3c02);
  EXPECT_EQ(half[4], 0x0000);
  const std::vector<float> many = RandomFloats(70, 3.0f, 6);
  uint16_t rounded[70];
  WriteKv(DataType::kBFloat16, many.data(), 70, reinterpret_cast<std::byte*>(rounded));
  for (int i = 0; i < 70; ++i) EXPECT_EQ(rounded[i], FloatToBFloat16(many[i]));
}

TEST(QuantizedActivations, KeepsFifteenBitsOfABlocksLargest) {
  std::vector<float> values = RandomFloats(3 * 96, 4.0f, 7);
  std::fill_n(values.begin() + 32, 32, 0.0f);
  QuantizedActivations quantized;
  quantized.Resize(3, 96);
  for (int row = 0; row < 3; ++row) quantized.SetRow(row, &values[row * 96]);
  for (int block = 0; block < 9; ++block) {
    const int8_t* quants = quantized.Block(block);
    int sum = 0;
    for (int i = 0; i < 32; ++i) {
      const int quant = 256 * quants[i] + quants[i + 32];
      sum += quant;
      EXPECT_GT(quants[i + 32], -128);
      // Half a step, and one more where the low part would be -128.
      EXPECT_NEAR(static_cast<float>(quant) * quantized.scales[block], values[block * 32 + i],
                  1.51f * quantized.scales[block]);
    }
    EXPECT_EQ(quantized.sums[block], sum);
    EXPECT_EQ(quantized.scaled_sums[block], quantized.scales[block] * static_cast<float>(sum));
  }
}

}  // namespace
}  // namespace tandem::compute
