#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/connector.h"
#include "engine/block_pool.h"

namespace tandem::engine {

/// Keeps the blocks of transfers from being reused until their tickets are done, whatever becomes
/// of the requests they belonged to. Engine's thread only.
class TransferPins {
 public:
  explicit TransferPins(BlockPool& pool) : pool_(pool) {}

  /// Takes a reference of each block.
  void Add(std::shared_ptr<cache::Ticket> ticket, std::span<const int32_t> blocks);

  /// Lets go of the blocks whose tickets are done.
  void ReleaseDone();

  size_t size() const { return pins_.size(); }

 private:
  struct Pin {
    std::shared_ptr<cache::Ticket> ticket;
    std::vector<int32_t> blocks;
  };

  BlockPool& pool_;
  std::vector<Pin> pins_;
};

}  // namespace tandem::engine
