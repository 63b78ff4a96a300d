// Compiled for AMX; nothing but FindAmxMatrixKernel may be called before that has said so.
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>

#include "base/log.h"
#include "compute/aligned_buffer.h"
#include "compute/float_conversion.h"
#include "compute/ops/amx_product.h"

namespace tandem::compute {
namespace {

struct Hardware {
  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void Load(const void* memory, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(memory), "r"(stride), "i"(kTile)
                 : "memory");
  }
  template <int kTile>
  static void Store(void* memory, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
                 :
                 : "r"(memory), "r"(stride), "i"(kTile)
                 : "memory");
  }
  /// Into the second-level cache.
  static void Prefetch(const void* memory) { asm volatile("prefetcht1 (%0)" : : "r"(memory)); }
  template <int kSum, int kX, int kWeights>
  static void MultiplyAdd() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kX), "i"(kWeights));
  }
};

/// The operand of ldtilecfg: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

void Multiply(const MatrixProduct& product) {
  // Released after each product: tiles in use make every switch of threads save 8 KiB.
  static constexpr TileConfig kConfig;
  asm volatile("ldtilecfg %0" : : "m"(kConfig));
  AmxProduct<Hardware>::Run(product);
  asm volatile("tilerelease");
}

bool RequestTiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// Whether a product of small whole numbers, which bfloat16 holds exactly, comes out right.
bool MultipliesRight() {
  constexpr int kRows = 48, kInputs = 64, kOutputs = 80, kPaddedOutputs = 128;
  AlignedBuffer<uint16_t> x(kRows * kInputs), panels(kPaddedOutputs * kInputs);
  AlignedBuffer<float> y(kRows * kOutputs);
  const auto x_at = [](int row, int k) { return static_cast<float>((row * 7 + k * 3) % 11 - 5); };
  const auto w_at = [](int output, int k) {
    return static_cast<float>((output * 5 + k * 2) % 13 - 6);
  };
  for (int row = 0; row < kRows; ++row) {
    for (int k = 0; k < kInputs; ++k) x[row * kInputs + k] = FloatToBFloat16(x_at(row, k));
  }
  for (int output = 0; output < kPaddedOutputs; ++output) {
    for (int k = 0; k < kInputs; ++k) {
      panels[(output / 64 * kInputs + k / 2 * 2) * 64 + output % 64 * 2 + k % 2] =
          FloatToBFloat16(w_at(output, k));
    }
  }
  Multiply({reinterpret_cast<const std::byte*>(x.data()), kInputs, kRows,
            reinterpret_cast<const std::byte*>(panels.data()), kInputs, kInputs, kOutputs, y.data(),
            kOutputs, false});
  for (int row = 0; row < kRows; ++row) {
    for (int output = 0; output < kOutputs; ++output) {
      float sum = 0;
      for (int k = 0; k < kInputs; ++k) sum += x_at(row, k) * w_at(output, k);
      if (y[row * kOutputs + output] != sum) return false;
    }
  }
  return true;
}

MatrixKernel Choose() {
  if (!RequestTiles()) {
    spdlog::warn("the operating system grants no AMX tiles: prefill attention goes without");
    return nullptr;
  }
  if (!MultipliesRight()) {
    spdlog::error("AMX gives wrong products: prefill attention goes without");
    return nullptr;
  }
  return Multiply;
}

}  // namespace

MatrixKernel FindAmxMatrixKernel() {
  static const MatrixKernel kernel = HighestCpuTarget() >= CpuTarget::kAmx ? Choose() : nullptr;
  return kernel;
}

}  // namespace tandem::compute
