#include "compute/ops/matrix_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "compute/aligned_buffer.h"
#include "compute/float_conversion.h"
#include "compute/ops/amx_product.h"
#include "compute/testing/random_weights.h"

namespace tandem::compute {
namespace {

using testing::RandomFloats;

/// The registers and operations of AMX by Intel's description of them, one number at a time.
struct TileModel {
  static constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;
  static inline std::byte tiles[kTiles][kRows][kRowBytes];

  template <int kTile>
  static void Zero() {
    std::memset(tiles[kTile], 0, sizeof(tiles[kTile]));
  }
  template <int kTile>
  static void Load(const void* memory, size_t stride) {
    for (int row = 0; row < kRows; ++row) {
      std::memcpy(tiles[kTile][row], static_cast<const std::byte*>(memory) + row * stride,
                  kRowBytes);
    }
  }
  template <int kTile>
  static void Store(void* memory, size_t stride) {
    for (int row = 0; row < kRows; ++row) {
      std::memcpy(static_cast<std::byte*>(memory) + row * stride, tiles[kTile][row], kRowBytes);
    }
  }
  static void Prefetch(const void*) {}
  template <int kSum, int kX, int kWeights>
  static void MultiplyAdd() {
    for (int m = 0; m < kRows; ++m) {
      for (int k = 0; k < kRowBytes / 4; ++k) {
        for (int n = 0; n < kRowBytes / 4; ++n) {
          float sum;
          std::memcpy(&sum, tiles[kSum][m] + 4 * n, 4);
          sum += Element(tiles[kX][m], 2 * k) * Element(tiles[kWeights][k], 2 * n);
          sum += Element(tiles[kX][m], 2 * k + 1) * Element(tiles[kWeights][k], 2 * n + 1);
          std::memcpy(tiles[kSum][m] + 4 * n, &sum, 4);
        }
      }
    }
  }
  static float Element(const std::byte* row, int index) {
    uint16_t bits;
    std::memcpy(&bits, row + 2 * index, 2);
    return BFloat16ToFloat(bits);
  }
};

struct NamedKernel {
  std::string name;
  MatrixType type;
  CpuTarget needs;
  MatrixKernel kernel;
};

std::vector<NamedKernel> Kernels() {
  std::vector<NamedKernel> kernels = {
      {"Float", MatrixType::kFloat32, CpuTarget::kPortable, FindFloatMatrixKernel()},
      {"Avx512Bf16", MatrixType::kBFloat16, CpuTarget::kAvx512Bf16, FindAvx512Bf16MatrixKernel()},
      {"AmxModel", MatrixType::kBFloat16, CpuTarget::kPortable, AmxProduct<TileModel>::Run}};
  if (const MatrixKernel amx = FindAmxMatrixKernel()) {
    kernels.push_back({"Amx", MatrixType::kBFloat16, CpuTarget::kAmx, amx});
  }
  return kernels;
}

class MatrixKernelTest : public ::testing::TestWithParam<NamedKernel> {
 protected:
  void SetUp() override {
    const auto target = SelectCpuTarget();
    ASSERT_TRUE(target.ok()) << target.status();
    if (*target < GetParam().needs) GTEST_SKIP() << "the processor has no such instructions";
  }

  MatrixType type() const { return GetParam().type; }

  /// What the matrix type keeps of a number.
  float Rounded(float value) const {
    return type() == MatrixType::kFloat32 ? value : BFloat16ToFloat(FloatToBFloat16(value));
  }

  AlignedBuffer<std::byte> Panels(const std::vector<float>& w, int inputs, int outputs) const {
    AlignedBuffer<std::byte> panels(MatrixPanels::Bytes(type(), inputs, outputs));
    std::fill_n(panels.data(), panels.size(), std::byte{0});
    for (int o = 0; o < outputs; ++o) {
      for (int k = 0; k < inputs; ++k) {
        std::byte* group = panels.data() + MatrixPanels::Offset(type(), inputs, o / 16 * 16);
        const float value = w[o * inputs + k];
        if (type() == MatrixType::kFloat32) {
          std::memcpy(group + k * MatrixPanels::Stride(type()) + o % 16 * 4, &value, 4);
        } else {
          const uint16_t bits = FloatToBFloat16(value);
          std::memcpy(group + k / 2 * MatrixPanels::Stride(type()) + o % 16 * 4 + k % 2 * 2, &bits,
                      2);
        }
      }
    }
    return panels;
  }
};

TEST_P(MatrixKernelTest, MultipliesAndAccumulates) {
  struct Size {
    int rows, inputs, panel_inputs, outputs;
  };
  for (const Size& size : {Size{16, 32, 32, 16},
                           {64, 96, 96, 192},
                           {48, 64, 256, 80},
                           {32, 128, 128, 32},
                           {16, 32, 64, 48},
                           {80, 32, 32, 112}}) {
    for (const bool accumulate : {false, true}) {
      const int x_stride = size.inputs + 32, y_stride = size.outputs + 16;
      const std::vector<float> x = RandomFloats(size.rows * x_stride, 1.0f, 1);
      const std::vector<float> w = RandomFloats(size.outputs * size.panel_inputs, 1.0f, 2);
      const std::vector<float> before = RandomFloats(size.rows * y_stride, 1.0f, 3);
      std::vector<std::byte> input(x.size() * SizeOf(type()));
      StoreMatrixInput(type(), x.data(), static_cast<int64_t>(x.size()), input.data());
      const AlignedBuffer<std::byte> panels = Panels(w, size.panel_inputs, size.outputs);
      std::vector<float> y = before;
      GetParam().kernel({input.data(), x_stride, size.rows, panels.data(), size.inputs,
                         size.panel_inputs, size.outputs, y.data(), y_stride, accumulate});
      for (int row = 0; row < size.rows; ++row) {
        for (int o = 0; o < y_stride; ++o) {
          const float old = before[row * y_stride + o];
          if (o >= size.outputs) {
            ASSERT_EQ(y[row * y_stride + o], old) << "beyond the outputs";
            continue;
          }
          double sum = accumulate ? old : 0.0;
          for (int k = 0; k < size.inputs; ++k) {
            sum += double{Rounded(x[row * x_stride + k])} * Rounded(w[o * size.panel_inputs + k]);
          }
          ASSERT_NEAR(y[row * y_stride + o], sum, 2e-5) << "row " << row << " output " << o;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, MatrixKernelTest, ::testing::ValuesIn(Kernels()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tandem::compute
