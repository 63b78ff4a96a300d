#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "compute/ops/prefill_linear.h"

namespace tandem::model {

/// Steps that tiles of up to 64 prompt tokens go through one after the other, each tile on its own.
/// With many tiles a thread takes a bundle of them through all steps, so that what passes between
/// steps stays in its cache and a slab of weights serves the whole bundle; with few, all threads
/// share each step. The results are the same bits.
class TileProgram {
 public:
  struct Tile {
    int64_t first_row;
    int rows;  ///< 64, of the last tile what is left.
    int slot;  ///< Where its intermediate results lie, in [0, Slots()).
  };
  using RowStep = std::function<void(const Tile& tile)>;
  using Source = std::function<const std::byte*(const Tile& tile)>;
  using Sink = std::function<void(const Tile& tile, const compute::SlabOutputs& outputs)>;

  /// The most slots that a program over any number of tiles uses at once.
  static int Slots(const ThreadPool& pool) { return kMostBundled * pool.threads(); }

  void AddRows(RowStep step) { steps_.push_back({.rows = std::move(step)}); }
  /// `x` says where a tile's input lies (PrefillTile); `sink` gets the outputs, slabs in any order
  /// and from several threads at once.
  void AddLinear(const compute::PrefillLinear& linear, Source x, Sink sink) {
    steps_.push_back({.linear = &linear, .x = std::move(x), .sink = std::move(sink)});
  }

  /// `scratch` is by thread.
  void Run(int64_t rows, ThreadPool& pool, std::span<compute::PrefillLinearScratch> scratch) const;

 private:
  // Tiles that a thread takes through the program at once.
  static constexpr int kMostBundled = 8;

  struct Step {
    RowStep rows;
    const compute::PrefillLinear* linear = nullptr;
    Source x;
    Sink sink;
  };

  void RunBundles(int64_t rows, ThreadPool& pool,
                  std::span<compute::PrefillLinearScratch> scratch) const;
  void RunShared(int64_t rows, ThreadPool& pool,
                 std::span<compute::PrefillLinearScratch> scratch) const;
  static void RunSlab(const Step& step, int slab, std::span<const Tile> tiles,
                      compute::PrefillLinearScratch& scratch, std::span<const std::byte> upcoming);
  /// What a thread reads after a slab of a step, whose slabs it may go through `again`; empty if
  /// nothing or not known.
  std::span<const std::byte> Upcoming(size_t step, int slab, bool again) const;

  std::vector<Step> steps_;
};

}  // namespace tandem::model
