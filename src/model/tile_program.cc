#include "model/tile_program.h"

#include <algorithm>
#include <array>

#include "compute/ops/matrix_kernel.h"

namespace tandem::model {
namespace {

constexpr int64_t kTileRows = compute::PrefillLinear::kTileRows;

TileProgram::Tile TileAt(int64_t index, int64_t rows, int slot) {
  const int64_t first = index * kTileRows;
  return {first, static_cast<int>(std::min(kTileRows, rows - first)), slot};
}

/// How many tiles' inputs of a layer stay in a core's second-level cache beside a slab of weights
/// and the next one.
int64_t TilesInCache(const compute::PrefillLinear& linear) {
  constexpr size_t kInputBytes = 800 << 10;
  const size_t tile =
      kTileRows * compute::PaddedInputs(linear.inputs()) * SizeOf(linear.input_type());
  return std::max<int64_t>(1, static_cast<int64_t>(kInputBytes / tile));
}

}  // namespace

void TileProgram::Run(int64_t rows, ThreadPool& pool,
                      std::span<compute::PrefillLinearScratch> scratch) const {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  if (tiles > 1 && tiles >= pool.threads()) {
    RunBundles(rows, pool, scratch);
  } else {
    RunShared(rows, pool, scratch);
  }
}

void TileProgram::RunBundles(int64_t rows, ThreadPool& pool,
                             std::span<compute::PrefillLinearScratch> scratch) const {
  // Equal ones, as many for each thread: a bundle reads all weights however few its tiles are.
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  const int64_t most = int64_t{kMostBundled} * pool.threads();
  const int64_t bundles = std::min(tiles, (tiles + most - 1) / most * pool.threads());
  pool.ParallelFor(bundles, [&](int64_t index, int thread) {
    const int64_t first = index * tiles / bundles, count = (index + 1) * tiles / bundles - first;
    std::array<Tile, kMostBundled> bundled;
    for (int i = 0; i < count; ++i) {
      bundled[i] = TileAt(first + i, rows, thread * kMostBundled + i);
    }
    const std::span<const Tile> all(bundled.data(), count);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (step.linear == nullptr) {
        for (const Tile& tile : all) step.rows(tile);
        continue;
      }
      const int64_t share = TilesInCache(*step.linear);
      for (int64_t tile = 0; tile < count; tile += share) {
        const std::span<const Tile> some = all.subspan(tile, std::min(share, count - tile));
        for (int slab = 0; slab < step.linear->slabs(); ++slab) {
          RunSlab(step, slab, some, scratch[thread], Upcoming(i, slab, tile + share < count));
        }
      }
    }
  });
}

void TileProgram::RunShared(int64_t rows, ThreadPool& pool,
                            std::span<compute::PrefillLinearScratch> scratch) const {
  std::vector<Tile> tiles;
  for (int64_t i = 0; i * kTileRows < rows; ++i) tiles.push_back(TileAt(i, rows, i));
  for (const Step& step : steps_) {
    if (step.linear == nullptr) {
      pool.ParallelFor(static_cast<int64_t>(tiles.size()),
                       [&](int64_t i, int) { step.rows(tiles[i]); });
      continue;
    }
    // Unpacking a slab is worth sharing by all tiles.
    const int64_t bundle = step.linear->has_copy() ? 1 : static_cast<int64_t>(tiles.size());
    const int64_t bundles = static_cast<int64_t>(tiles.size()) / bundle;
    pool.ParallelFor(step.linear->slabs() * bundles, [&](int64_t index, int thread) {
      const std::span<const Tile> bundled(&tiles[index % bundles * bundle], bundle);
      RunSlab(step, static_cast<int>(index / bundles), bundled, scratch[thread], {});
    });
  }
}

std::span<const std::byte> TileProgram::Upcoming(size_t step, int slab, bool again) const {
  const compute::PrefillLinear* linear = steps_[step].linear;
  if (slab + 1 < linear->slabs()) return linear->SlabMemory(slab + 1);
  if (again) return linear->SlabMemory(0);
  for (size_t next = step + 1; next < steps_.size(); ++next) {
    if (steps_[next].linear != nullptr) return steps_[next].linear->SlabMemory(0);
  }
  return {};
}

void TileProgram::RunSlab(const Step& step, int slab, std::span<const Tile> tiles,
                          compute::PrefillLinearScratch& scratch,
                          std::span<const std::byte> upcoming) {
  std::vector<compute::PrefillTile> inputs;
  inputs.reserve(tiles.size());
  for (const Tile& tile : tiles) inputs.push_back({step.x(tile), tile.rows});
  step.linear->RunSlab(
      slab, inputs, scratch, upcoming,
      [&](int i, const compute::SlabOutputs& outputs) { step.sink(tiles[i], outputs); });
}

}  // namespace tandem::model
