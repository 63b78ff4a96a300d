#include "compute/ops/unpack_weights.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "compute/ops/unpack_weights_cpu.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "compute/ops/packed_gptq.h"
#include "compute/ops/packed_k_quants.h"
#include "compute/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::compute::HWY_NAMESPACE {

constexpr int kOutputs = PackedWeights::kTileOutputs;

using D = hn::CappedTag<float, kOutputs>;
using DU = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
using U = hn::Vec<DU>;

constexpr int kLanes = hn::MaxLanes(D());

/// Stores weights of the same outputs and two inputs that follow one another.
struct BFloat16Panel {
  static HWY_INLINE U Round(V v) {
    const DU du;
    const U bits = hn::BitCast(du, v);
    const U odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    return hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd);
  }
  HWY_INLINE void Store(int64_t input, int lane, V first, V second) const {
    const DU du;
    const U pairs =
        hn::Or(hn::ShiftRight<16>(Round(first)), hn::And(Round(second), hn::Set(du, 0xffff0000u)));
    std::byte* line = out + input / 2 * MatrixPanels::Stride(MatrixType::kBFloat16);
    hn::StoreU(pairs, du, reinterpret_cast<uint32_t*>(line) + lane);
  }
  std::byte* out;
};

struct FloatPanel {
  HWY_INLINE void Store(int64_t input, int lane, V first, V second) const {
    float* line = reinterpret_cast<float*>(out) + input * kOutputs + lane;
    hn::StoreU(first, D(), line);
    hn::StoreU(second, D(), line + kOutputs);
  }
  std::byte* out;
};

template <typename T, class Panel>
void UnpackFloats(const std::byte* tile, int64_t columns, Panel panel) {
  const auto* weights = reinterpret_cast<const T*>(tile);
  for (int64_t k = 0; k < columns; k += 2) {
    for (int lane = 0; lane < kOutputs; lane += kLanes) {
      const V second =
          k + 1 < columns ? LoadFloats(D(), weights + (k + 1) * kOutputs + lane) : hn::Zero(D());
      panel.Store(k, lane, LoadFloats(D(), weights + k * kOutputs + lane), second);
    }
  }
}

/// Stores four inputs whose quants are kBits bits each, 8 apart, from `quants` on.
template <int kBits, class Panel>
HWY_INLINE void StoreQuants(U quants, V zero, V scale, V minimum, int64_t input, int lane,
                            Panel panel) {
  const DU du;
  const hn::RebindToSigned<D> di;
  const U mask = hn::Set(du, (1u << kBits) - 1);
  const auto weight = [&](U shifted) {
    const V value = hn::ConvertTo(D(), hn::BitCast(di, hn::And(shifted, mask)));
    return hn::Add(hn::Mul(hn::Sub(value, zero), scale), minimum);
  };
  panel.Store(input, lane, weight(quants), weight(hn::ShiftRight<8>(quants)));
  panel.Store(input + 2, lane, weight(hn::ShiftRight<16>(quants)),
              weight(hn::ShiftRight<24>(quants)));
}

template <class Panel>
void UnpackBlocks(const PackedWeights& weights, const std::byte* tile, Panel panel) {
  const D d;
  const DU du;
  const WeightFormat format = weights.format();
  const int64_t blocks = weights.columns() / kQuantBlock;
  const auto* scales = reinterpret_cast<const hwy::float16_t*>(tile);
  const auto* minima = scales + blocks * kOutputs;
  const auto* quants = reinterpret_cast<const uint32_t*>(
      format == WeightFormat::kQ4_1 ? minima + blocks * kOutputs : minima);
  const int chunks = format == WeightFormat::kQ8_0 ? 8 : 4;
  for (int64_t block = 0; block < blocks; ++block, quants += chunks * kOutputs) {
    for (int lane = 0; lane < kOutputs; lane += kLanes) {
      const V scale = LoadFloats(d, scales + block * kOutputs + lane);
      for (int chunk = 0; chunk < chunks; ++chunk) {
        const U bytes = hn::LoadU(du, quants + chunk * kOutputs + lane);
        const int64_t input = block * kQuantBlock + chunk * (kQuantBlock / chunks);
        if (format == WeightFormat::kQ8_0) {
          StoreQuants<8>(bytes, hn::Set(d, 128.0f), scale, hn::Zero(d), input, lane, panel);
          continue;
        }
        const V minimum = format == WeightFormat::kQ4_0
                              ? hn::Mul(hn::Set(d, -8.0f), scale)
                              : LoadFloats(d, minima + block * kOutputs + lane);
        StoreQuants<4>(bytes, hn::Zero(d), scale, minimum, input, lane, panel);
        StoreQuants<4>(hn::ShiftRight<4>(bytes), hn::Zero(d), scale, minimum, input + 4, lane,
                       panel);
      }
    }
  }
}

/// Keeps what is stored in the order of columns, as floats.
struct ReorderingPanel {
  HWY_INLINE void Store(int64_t input, int lane, V first, V second) const {
    hn::StoreU(first, D(), floats + order[input] * kOutputs + lane);
    hn::StoreU(second, D(), floats + order[input + 1] * kOutputs + lane);
  }
  float* floats;  ///< [columns][16]
  const int32_t* order;
};

HWY_INLINE V LoadBytes(const std::byte* bytes) {
  const hn::Rebind<uint8_t, D> du8;
  const hn::RebindToSigned<D> di;
  return hn::ConvertTo(D(),
                       hn::PromoteTo(di, hn::LoadU(du8, reinterpret_cast<const uint8_t*>(bytes))));
}

/// In the order of groups.
template <class Panel>
void UnpackGptqGroups(const std::byte* tile, int64_t blocks, Panel panel) {
  const DU du;
  const GptqTileLayout layout = GptqTileLayout::Of(tile, blocks);
  const auto* scales = reinterpret_cast<const hwy::float16_t*>(tile + layout.scales());
  const auto* quants = reinterpret_cast<const uint32_t*>(tile + layout.quants());
  for (int64_t block = 0; block < blocks; ++block, quants += 4 * kOutputs) {
    const int64_t group = block / layout.group_blocks;
    for (int lane = 0; lane < kOutputs; lane += kLanes) {
      const V scale = LoadFloats(D(), scales + group * kOutputs + lane);
      const V zero = LoadBytes(tile + layout.zeros() + group * kOutputs + lane);
      for (int chunk = 0; chunk < 4; ++chunk) {
        const U bytes = hn::LoadU(du, quants + chunk * kOutputs + lane);
        const int64_t input = block * kQuantBlock + chunk * 8;
        StoreQuants<4>(bytes, zero, scale, hn::Zero(D()), input, lane, panel);
        StoreQuants<4>(hn::ShiftRight<4>(bytes), zero, scale, hn::Zero(D()), input + 4, lane,
                       panel);
      }
    }
  }
}

template <class Panel>
void UnpackGptq(const PackedWeights& weights, const std::byte* tile, float* reordered,
                Panel panel) {
  const int64_t columns = weights.columns(), blocks = columns / kQuantBlock;
  if (weights.column_order().empty()) {
    UnpackGptqGroups(tile, blocks, panel);
    return;
  }
  UnpackGptqGroups(tile, blocks, ReorderingPanel{reordered, weights.column_order().data()});
  UnpackFloats<float>(reinterpret_cast<const std::byte*>(reordered), columns, panel);
}

HWY_INLINE V LoadSignedBytes(const std::byte* bytes) {
  const hn::Rebind<int8_t, D> di8;
  const hn::RebindToSigned<D> di;
  return hn::ConvertTo(D(),
                       hn::PromoteTo(di, hn::LoadU(di8, reinterpret_cast<const int8_t*>(bytes))));
}

/// Blocks of 32 inputs of some outputs. `scales` are of each half of a block.
template <WeightFormat kFormat, class Panel>
HWY_INLINE void UnpackKQuantBlock(const std::byte* block, const V* scales, V minimum, int64_t input,
                                  int lane, Panel panel) {
  const DU du;
  constexpr int kPlanes = KQuantTileLayout::HighPlanes(kFormat);
  const auto* words = reinterpret_cast<const uint32_t*>(block) + lane;
  for (int i = 0; i < 8; ++i) {  // Of 4 inputs.
    U quants = hn::LoadU(du, words + i / 2 * kOutputs);
    if (i % 2 != 0) quants = hn::ShiftRight<4>(quants);
    quants = hn::And(quants, hn::Set(du, 0x0f0f0f0fu));
    if constexpr (kPlanes > 0) {
      constexpr int kChunks = 8 / kPlanes;
      U high = hn::LoadU(du, words + (4 + i / kChunks) * kOutputs);
      high = hn::ShiftRightSame(high, i % kChunks * kPlanes);
      high = hn::And(high, hn::Set(du, kPlanes == 1 ? 0x01010101u : 0x03030303u));
      quants = hn::Or(quants, hn::ShiftLeft<4>(high));
    }
    const V zero = hn::Set(D(), kFormat == WeightFormat::kQ6_K ? 32.0f : 0.0f);
    StoreQuants<8>(quants, zero, scales[i / 4], minimum, input + i * 4, lane, panel);
  }
}

template <WeightFormat kFormat, class Panel>
void UnpackKQuants(const std::byte* record, int64_t columns, Panel panel) {
  using Layout = KQuantTileLayout;
  const D d;
  for (int64_t input = 0; input < columns; record += Layout::RecordBytes(kFormat)) {
    for (int b = 0; b < Layout::kBlocks; ++b, input += kQuantBlock) {
      const std::byte* block = record + Layout::kFirstBlock + b * Layout::BlockBytes(kFormat);
      for (int lane = 0; lane < kOutputs; lane += kLanes) {
        const V scale = LoadFloats(d, reinterpret_cast<const hwy::float16_t*>(record) + lane);
        const std::byte* sub_scales = record + Layout::kSubScales + lane;
        if constexpr (kFormat == WeightFormat::kQ6_K) {
          const V scales[2] = {
              hn::Mul(scale, LoadSignedBytes(sub_scales + 2 * b * kOutputs)),
              hn::Mul(scale, LoadSignedBytes(sub_scales + (2 * b + 1) * kOutputs))};
          UnpackKQuantBlock<kFormat>(block, scales, hn::Zero(d), input, lane, panel);
        } else {
          const V both = hn::Mul(scale, LoadBytes(sub_scales + b * kOutputs));
          const V scales[2] = {both, both};
          const V minimum = hn::Mul(
              LoadFloats(d,
                         reinterpret_cast<const hwy::float16_t*>(record + Layout::kMinima) + lane),
              LoadBytes(record + Layout::kSubMinima + b * kOutputs + lane));
          UnpackKQuantBlock<kFormat>(block, scales, hn::Neg(minimum), input, lane, panel);
        }
      }
    }
  }
}

template <class Panel>
void Unpack(const PackedWeights& weights, int64_t tile_index, float* reordered, Panel panel) {
  const std::byte* tile = weights.Tile(tile_index);
  const int64_t columns = weights.columns();
  switch (weights.format()) {
    case WeightFormat::kFloat32:
      UnpackFloats<float>(tile, columns, panel);
      break;
    case WeightFormat::kFloat16:
      UnpackFloats<hwy::float16_t>(tile, columns, panel);
      break;
    case WeightFormat::kBFloat16:
      UnpackFloats<hwy::bfloat16_t>(tile, columns, panel);
      break;
    case WeightFormat::kQ4_0:
    case WeightFormat::kQ4_1:
    case WeightFormat::kQ8_0:
      UnpackBlocks(weights, tile, panel);
      break;
    case WeightFormat::kGptqInt4:
      UnpackGptq(weights, tile, reordered, panel);
      break;
    case WeightFormat::kQ4_K:
      UnpackKQuants<WeightFormat::kQ4_K>(tile, columns, panel);
      break;
    case WeightFormat::kQ5_K:
      UnpackKQuants<WeightFormat::kQ5_K>(tile, columns, panel);
      break;
    case WeightFormat::kQ6_K:
      UnpackKQuants<WeightFormat::kQ6_K>(tile, columns, panel);
      break;
  }
  for (int64_t k = (columns + 1) / 2 * 2; k < PaddedInputs(columns); k += 2) {
    for (int lane = 0; lane < kOutputs; lane += kLanes) {
      panel.Store(k, lane, hn::Zero(D()), hn::Zero(D()));
    }
  }
}

/// `reordered` is scratch memory, [columns][16], for weights that are not in their own order.
void UnpackTo(const PackedWeights& weights, int64_t tile, MatrixType type, float* reordered,
              std::byte* out) {
  if (type == MatrixType::kBFloat16) {
    Unpack(weights, tile, reordered, BFloat16Panel{out});
  } else {
    Unpack(weights, tile, reordered, FloatPanel{out});
  }
}

}  // namespace tandem::compute::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

namespace tandem::compute {

HWY_EXPORT(UnpackTo);

void UnpackTile(const PackedWeights& weights, int64_t tile, MatrixType type, std::byte* out) {
  std::vector<float> reordered(weights.column_order().size() * PackedWeights::kTileOutputs);
  HWY_DYNAMIC_DISPATCH(UnpackTo)(weights, tile, type, reordered.data(), out);
}

}  // namespace tandem::compute
#endif
