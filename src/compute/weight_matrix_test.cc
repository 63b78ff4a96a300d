#include "compute/weight_matrix.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "compute/float_conversion.h"

namespace tandem::compute {
namespace {

TEST(FloatConversion, Float16) {
  EXPECT_EQ(Float16ToFloat(0x3c00), 1.0f);
  EXPECT_EQ(Float16ToFloat(0xc000), -2.0f);
  EXPECT_EQ(Float16ToFloat(0x7bff), 65504.0f);
  EXPECT_EQ(Float16ToFloat(0x0001), 0x1p-24f);  // The smallest subnormal.
  EXPECT_EQ(Float16ToFloat(0x83ff), -0x3ffp-24f);
  EXPECT_TRUE(std::signbit(Float16ToFloat(0x8000)));
  EXPECT_EQ(Float16ToFloat(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(Float16ToFloat(0x7e00)));
}

TEST(FloatConversion, BFloat16RoundsTiesToEven) {
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808000)), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f818000)), 0x3f82);
  EXPECT_EQ(FloatToBFloat16(std::bit_cast<float>(0x3f808001)), 0x3f81);
  EXPECT_EQ(BFloat16ToFloat(0xc040), -3.0f);
}

std::vector<std::byte> Block(std::initializer_list<int> header, int quants) {
  std::vector<std::byte> bytes;
  for (const int half : header) {
    bytes.push_back(static_cast<std::byte>(half & 255));
    bytes.push_back(static_cast<std::byte>(half >> 8));
  }
  for (int i = 0; i < quants; ++i) bytes.push_back(static_cast<std::byte>(i * 17));
  return bytes;
}

TEST(WeightMatrix, DequantizesQ4_0) {
  const auto block = Block({0x3800}, 16);  // Scale 0.5; byte i holds i twice.
  std::array<float, 32> values;
  DequantizeRow(WeightFormat::kQ4_0, block.data(), 32, values.data());
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(values[i], 0.5f * static_cast<float>(i - 8));
    EXPECT_EQ(values[i + 16], 0.5f * static_cast<float>(i - 8));
  }
}

TEST(WeightMatrix, DequantizesQ4_1WithLowNibblesFirst) {
  auto block = Block({0x3c00, 0xc000}, 16);  // Scale 1, minimum -2.
  block[4] = std::byte{0x3f};
  std::array<float, 32> values;
  DequantizeRow(WeightFormat::kQ4_1, block.data(), 32, values.data());
  EXPECT_EQ(values[0], 13.0f);
  EXPECT_EQ(values[16], 1.0f);
  EXPECT_EQ(values[5], 3.0f);
}

TEST(WeightMatrix, DequantizesQ8_0) {
  const auto block = Block({0x3c00}, 32);
  std::array<float, 32> values;
  DequantizeRow(WeightFormat::kQ8_0, block.data(), 32, values.data());
  EXPECT_EQ(values[1], 17.0f);
  EXPECT_EQ(values[15], -1.0f);
}

TEST(WeightMatrix, RowOrderMovesRows) {
  const std::array<float, 4> data = {1, 2, 3, 4};
  const std::array<int32_t, 2> order = {1, 0};
  const WeightMatrix matrix{WeightFormat::kFloat32, 2, 2,
                            reinterpret_cast<const std::byte*>(data.data()), order};
  std::array<float, 2> row;
  DequantizeRow(matrix.format, matrix.Row(0), 2, row.data());
  EXPECT_EQ(row, (std::array<float, 2>{3, 4}));
}

}  // namespace
}  // namespace tandem::compute
