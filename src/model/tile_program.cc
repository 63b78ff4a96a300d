#include "model/tile_program.h"

#include <algorithm>
#include <array>

namespace tandem::model {
namespace {

constexpr int64_t kTileRows = compute::PrefillLinear::kTileRows;

TileProgram::Tile TileAt(int64_t index, int64_t rows, int slot) {
  const int64_t first = index * kTileRows;
  return {first, static_cast<int>(std::min(kTileRows, rows - first)), slot};
}

}  // namespace

void TileProgram::Run(int64_t rows, compute::ThreadPool& pool,
                      std::span<compute::PrefillLinearScratch> scratch) const {
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  if (tiles > 1 && tiles >= pool.threads()) {
    RunBundles(rows, pool, scratch);
  } else {
    RunShared(rows, pool, scratch);
  }
}

void TileProgram::RunBundles(int64_t rows, compute::ThreadPool& pool,
                             std::span<compute::PrefillLinearScratch> scratch) const {
  // Smaller ones at the end, so that the threads end together.
  struct Bundle {
    int64_t first_tile;
    int tiles;
  };
  std::vector<Bundle> bundles;
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t first = 0; first < tiles; first += bundles.back().tiles) {
    const int64_t share = (tiles - first) / pool.threads();
    bundles.push_back({first, static_cast<int>(std::clamp<int64_t>(share, 1, kMostBundled))});
  }
  pool.ParallelFor(static_cast<int64_t>(bundles.size()), [&](int64_t index, int thread) {
    const Bundle& bundle = bundles[index];
    std::array<Tile, kMostBundled> bundled;
    for (int i = 0; i < bundle.tiles; ++i) {
      bundled[i] = TileAt(bundle.first_tile + i, rows, thread * kMostBundled + i);
    }
    const std::span<const Tile> all(bundled.data(), bundle.tiles);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (step.linear == nullptr) {
        for (const Tile& tile : all) step.rows(tile);
        continue;
      }
      for (int slab = 0; slab < step.linear->slabs(); ++slab) {
        RunSlab(step, slab, all, scratch[thread], Upcoming(i, slab));
      }
    }
  });
}

void TileProgram::RunShared(int64_t rows, compute::ThreadPool& pool,
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

std::span<const std::byte> TileProgram::Upcoming(size_t step, int slab) const {
  const compute::PrefillLinear* linear = steps_[step].linear;
  if (slab + 1 < linear->slabs()) return linear->SlabMemory(slab + 1);
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
