#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "compute/ops/prefill_linear.h"
#include "compute/thread_pool.h"

namespace tandem::model {

/// Steps that tiles of prompt tokens go through one after the other, each tile on its own. With
/// many tiles a thread takes one through all steps, so that what passes between steps stays in its
/// cache; with few, all threads share each step's slabs. The results are the same bits.
class TileProgram {
 public:
  /// Where a tile's intermediate results lie is called its slot.
  using RowStep = std::function<void(int tile, int slot)>;
  using Source = std::function<const std::byte*(int tile, int slot)>;
  using Target = std::function<float*(int tile, int slot)>;

  /// The most slots that a program over any number of tiles uses at once.
  static int Slots(const compute::ThreadPool& pool) {
    return kFusedTilesPerThread * pool.threads();
  }

  void AddRows(RowStep step) { steps_.push_back({.rows = std::move(step)}); }
  void AddLinear(const compute::PrefillLinear& linear, Source x, Target y) {
    steps_.push_back({.linear = &linear, .x = std::move(x), .y = std::move(y)});
  }

  void Run(int tiles, compute::ThreadPool& pool) const;

 private:
  static constexpr int kFusedTilesPerThread = 2;

  struct Step {
    RowStep rows;
    const compute::PrefillLinear* linear = nullptr;
    Source x;
    Target y;
  };

  std::vector<Step> steps_;
};

}  // namespace tandem::model
