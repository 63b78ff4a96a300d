#include "model/tile_program.h"

namespace tandem::model {

void TileProgram::Run(int tiles, compute::ThreadPool& pool) const {
  if (tiles >= kFusedTilesPerThread * pool.threads()) {
    pool.ParallelFor(tiles, [this](int64_t tile, int thread) {
      for (const Step& step : steps_) {
        if (step.linear == nullptr) {
          step.rows(static_cast<int>(tile), thread);
          continue;
        }
        const std::byte* x = step.x(static_cast<int>(tile), thread);
        float* y = step.y(static_cast<int>(tile), thread);
        for (int slab = 0; slab < step.linear->slabs(); ++slab) {
          step.linear->RunSlab(slab, x, y, thread);
        }
      }
    });
    return;
  }
  for (const Step& step : steps_) {
    if (step.linear == nullptr) {
      pool.ParallelFor(tiles, [&step](int64_t tile, int) {
        step.rows(static_cast<int>(tile), static_cast<int>(tile));
      });
      continue;
    }
    pool.ParallelFor(int64_t{tiles} * step.linear->slabs(), [&](int64_t index, int thread) {
      const int tile = static_cast<int>(index % tiles), slab = static_cast<int>(index / tiles);
      step.linear->RunSlab(slab, step.x(tile, tile), step.y(tile, tile), thread);
    });
  }
}

}  // namespace tandem::model
