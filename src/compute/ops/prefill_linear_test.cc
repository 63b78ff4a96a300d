#include "compute/ops/prefill_linear.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "compute/ops/matrix_kernel.h"
#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;
using testing::RandomWeights;

constexpr int kRows = PrefillLinear::kTileRows;

PackedWeights Pack(const WeightMatrix& matrix) {
  PackedWeights packed(matrix);
  packed.PackTiles(matrix, 0, packed.tiles());
  return packed;
}

/// On the processor's own matrix type and on float32. kAmx goes without AMX where there is none.
class PrefillLinearTest : public ::testing::TestWithParam<CpuTarget> {
 protected:
  void SetUp() override {
    const auto target = SelectCpuTarget();
    ASSERT_TRUE(target.ok()) << target.status();
    if (type() == MatrixType::kBFloat16 && MatrixTypeFor(*target) != MatrixType::kBFloat16) {
      GTEST_SKIP() << "there are no bfloat16 products on " << CpuTargetName(*target);
    }
  }

  MatrixType type() const { return MatrixTypeFor(GetParam()); }

  PrefillLinear Create(std::span<const PackedWeights* const> parts, bool paired, bool keep_copy,
                       ThreadPool& pool) const {
    auto linear = PrefillLinear::Create(parts, {GetParam(), paired, keep_copy}, pool);
    EXPECT_TRUE(linear.ok()) << linear.status();
    EXPECT_EQ(linear->has_copy(), keep_copy);
    return *std::move(linear);
  }

  /// Runs rows [rows, inputs] in tiles, slabs shared by the pool's threads. Columns come in the
  /// order of the parts, paired or not.
  std::vector<float> Run(const PrefillLinear& linear, const std::vector<float>& x, int parts,
                         ThreadPool& pool) const {
    const int64_t inputs = linear.inputs(), stride = PaddedInputs(inputs) * SizeOf(type());
    const int64_t rows = static_cast<int64_t>(x.size()) / inputs;
    const int64_t tiles = (rows + kRows - 1) / kRows;
    // What stands in the rows after the last must not matter.
    std::vector<std::byte> input(tiles * kRows * stride, std::byte{0x3f});
    std::vector<PrefillTile> all;
    for (int64_t row = 0; row < rows; ++row) {
      std::byte* out = input.data() + row * stride;
      std::memset(out, 0, stride);
      StoreMatrixInput(type(), &x[row * inputs], inputs, out);
      if (row % kRows == 0) {
        all.push_back({out, static_cast<int>(std::min<int64_t>(kRows, rows - row))});
      }
    }
    std::vector<float> y(rows * linear.outputs());
    std::vector<PrefillLinearScratch> scratch(pool.threads());
    const int64_t part_outputs = linear.outputs() / parts;
    pool.ParallelFor(linear.slabs(), [&](int64_t slab, int thread) {
      linear.RunSlab(static_cast<int>(slab), all, scratch[thread], {},
                     [&](int tile, const SlabOutputs& slab_outputs) {
                       for (int row = 0; row < slab_outputs.rows; ++row) {
                         const float* from = slab_outputs.y + row * slab_outputs.stride;
                         float* to = &y[(tile * kRows + row) * linear.outputs()];
                         for (int part = 0; part < parts; ++part) {
                           std::copy_n(from + part * slab_outputs.count, slab_outputs.count,
                                       to + part * part_outputs + slab_outputs.first);
                         }
                       }
                     });
    });
    return y;
  }
};

TEST_P(PrefillLinearTest, MultipliesAsFloat64Does) {
  ThreadPool pool(2);
  const RandomWeights weights(WeightFormat::kQ4_1, 1104, 192, 1);
  const PackedWeights packed = Pack(weights.View());
  const PrefillLinear linear = Create(std::array{&packed}, false, true, pool);
  const std::vector<float> x = RandomFloats(100 * 192, 1.0f, 2);
  const std::vector<float> y = Run(linear, x, 1, pool);
  const std::vector<double> expected = Multiply(weights, x);
  // bfloat16 has 8 bits; an error of 2^-9 for each factor adds up like a random walk.
  const double tolerance = type() == MatrixType::kFloat32 ? 1e-4 : 0.12;
  ASSERT_EQ(y.size(), expected.size());
  for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], tolerance) << i;
}

TEST_P(PrefillLinearTest, PartsAndRowOrderAreGathered) {
  ThreadPool pool(1);
  const RandomWeights first(WeightFormat::kFloat32, 80, 32, 3),
      second(WeightFormat::kQ8_0, 48, 32, 4);
  std::vector<int32_t> order(80);
  for (int i = 0; i < 80; ++i) order[i] = 79 - i;
  WeightMatrix reversed = first.View();
  reversed.row_order = order;
  const PackedWeights upper_part = Pack(reversed), lower_part = Pack(second.View());
  const PrefillLinear linear = Create(std::array{&upper_part, &lower_part}, false, true, pool);
  const std::vector<float> x = RandomFloats(kRows * 32, 1.0f, 5);
  const std::vector<float> y = Run(linear, x, 1, pool);
  const std::vector<double> upper = Multiply(first, x), lower = Multiply(second, x);
  for (int row = 0; row < kRows; ++row) {
    for (int o = 0; o < 80; ++o) ASSERT_NEAR(y[row * 128 + o], upper[row * 80 + 79 - o], 0.06);
    for (int o = 0; o < 48; ++o) ASSERT_NEAR(y[row * 128 + 80 + o], lower[row * 48 + o], 0.06);
  }
}

TEST_P(PrefillLinearTest, PairedPartsStandSideBySide) {
  ThreadPool pool(2);
  for (const int outputs : {16, 160, 1536}) {
    const RandomWeights gate(WeightFormat::kQ4_0, outputs, 64, 8),
        up(WeightFormat::kFloat16, outputs, 64, 9);
    const PackedWeights gate_part = Pack(gate.View()), up_part = Pack(up.View());
    const PrefillLinear linear = Create(std::array{&gate_part, &up_part}, true, true, pool);
    const std::vector<float> x = RandomFloats(70 * 64, 1.0f, 10);
    const std::vector<float> y = Run(linear, x, 2, pool);
    const std::vector<double> first = Multiply(gate, x), second = Multiply(up, x);
    for (int row = 0; row < 70; ++row) {
      for (int o = 0; o < outputs; ++o) {
        ASSERT_NEAR(y[row * 2 * outputs + o], first[row * outputs + o], 0.1) << row << " " << o;
        ASSERT_NEAR(y[(row * 2 + 1) * outputs + o], second[row * outputs + o], 0.1);
      }
    }
  }
}

TEST_P(PrefillLinearTest, SlabsHoldWholeMultiples) {
  ThreadPool pool(1);
  const RandomWeights weights(WeightFormat::kQ8_0, 1120, 64, 11);
  const PackedWeights packed = Pack(weights.View());
  const auto linear =
      PrefillLinear::Create(std::array{&packed}, {.target = GetParam(), .slab_multiple = 80}, pool);
  ASSERT_TRUE(linear.ok()) << linear.status();
  ASSERT_GT(linear->slabs(), 1);
  const std::vector<std::byte> x(kRows * PaddedInputs(64) * SizeOf(type()));
  const PrefillTile tile{x.data(), kRows};
  PrefillLinearScratch scratch;
  for (int slab = 0; slab < linear->slabs(); ++slab) {
    linear->RunSlab(slab, {&tile, 1}, scratch, {}, [](int, const SlabOutputs& outputs) {
      EXPECT_EQ(outputs.first % 80, 0);
      EXPECT_EQ(outputs.count % 80, 0);
    });
  }
}

TEST_P(PrefillLinearTest, UnpackingGivesTheBitsOfTheCopy) {
  ThreadPool pool(2);
  for (const WeightFormat format :
       {WeightFormat::kFloat32, WeightFormat::kFloat16, WeightFormat::kBFloat16,
        WeightFormat::kQ4_0, WeightFormat::kQ4_1, WeightFormat::kQ8_0, WeightFormat::kGptqInt4,
        WeightFormat::kQ4_K, WeightFormat::kQ5_K, WeightFormat::kQ6_K}) {
    const RandomWeights weights(format, 720, 256, 11);
    const PackedWeights packed = Pack(weights.View());
    const std::vector<float> x = RandomFloats(150 * 256, 1.0f, 12);
    const auto kept = Run(Create(std::array{&packed}, false, true, pool), x, 1, pool);
    const auto unpacked = Run(Create(std::array{&packed}, false, false, pool), x, 1, pool);
    EXPECT_EQ(std::memcmp(kept.data(), unpacked.data(), kept.size() * sizeof(float)), 0);
  }
}

TEST_P(PrefillLinearTest, EveryFormatIsUnpackedAsItIsDequantised) {
  ThreadPool pool(1);
  for (const WeightFormat format :
       {WeightFormat::kQ4_1, WeightFormat::kGptqInt4, WeightFormat::kQ4_K, WeightFormat::kQ5_K,
        WeightFormat::kQ6_K}) {
    const RandomWeights weights(format, 48, 256, 13);
    const PackedWeights packed = Pack(weights.View());
    const PrefillLinear linear = Create(std::array{&packed}, false, false, pool);
    const std::vector<float> x = RandomFloats(5 * 256, 1.0f, 14);
    const std::vector<float> y = Run(linear, x, 1, pool);
    const std::vector<double> expected = Multiply(weights, x);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], expected[i], type() == MatrixType::kFloat32 ? 1e-4 : 0.15) << i;
    }
  }
}

/// Sizes of the demo model and odd ones.
TEST_P(PrefillLinearTest, RowsHaveTheSameBitsInAnyPlaceAndCompany) {
  ThreadPool one(1), three(3);
  const std::pair<int, int> sizes[] = {{960, 576}, {576, 1536}, {3072, 576}, {48, 48}, {288, 33}};
  for (const auto& [outputs, inputs] : sizes) {
    const RandomWeights weights(WeightFormat::kFloat32, outputs, inputs, 6);
    const PackedWeights packed = Pack(weights.View());
    const PrefillLinear linear = Create(std::array{&packed}, false, true, three);
    const PrefillLinear other = Create(std::array{&packed}, false, false, one);
    const std::vector<float> x = RandomFloats((kRows + 9) * inputs, 1.0f, 7);
    const std::vector<float> together = Run(linear, x, 1, three);
    for (int row = 0; row < kRows + 9; row += 6) {
      for (const int place : {0, 1, 31, 63, 70}) {
        std::vector<float> alone((place + 1) * inputs, 0.0f);
        std::copy_n(x.begin() + row * inputs, inputs, alone.begin() + place * inputs);
        const std::vector<float> y = Run(other, alone, 1, one);
        ASSERT_EQ(std::memcmp(y.data() + place * outputs, together.data() + row * outputs,
                              outputs * sizeof(float)),
                  0)
            << outputs << " x " << inputs << ", row " << row << " in place " << place;
      }
    }
  }
}

TEST_P(PrefillLinearTest, SizesThatDoNotFitAreRefused) {
  ThreadPool pool(1);
  const RandomWeights odd(WeightFormat::kFloat32, 20, 32, 1),
      even(WeightFormat::kFloat32, 32, 32, 1), narrow(WeightFormat::kFloat32, 32, 16, 1);
  const PackedWeights odd_part = Pack(odd.View()), part = Pack(even.View()),
                      narrow_part = Pack(narrow.View());
  const auto refused = [&](std::vector<const PackedWeights*> parts) {
    return std::string(PrefillLinear::Create(parts, {GetParam()}, pool).status().message());
  };
  EXPECT_EQ(refused({&odd_part}), "a linear layer has 20 outputs, expected a multiple of 16");
  EXPECT_EQ(refused({&part, &narrow_part}),
            "parts of a linear layer have 32 and 16 inputs, expected the same number");
}

std::string NameOf(const ::testing::TestParamInfo<CpuTarget>& info) {
  return std::string(CpuTargetName(info.param));
}

INSTANTIATE_TEST_SUITE_P(Targets, PrefillLinearTest,
                         ::testing::Values(CpuTarget::kAvx2, CpuTarget::kAvx512Bf16,
                                           CpuTarget::kAmx),
                         NameOf);

}  // namespace
}  // namespace tandem::compute
