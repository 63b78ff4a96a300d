#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/clock.h"
#include "transfer/extent.h"

namespace tandem::transfer {

/// Bytes of a caller who needs them back before a call returns: what a transfer is lent it may read
/// until it has truly ended. Waiting is for one thread.
class LentBytes {
 public:
  explicit LentBytes(std::span<const std::byte> bytes);

  /// The bytes, and the hold by which they are lent; every copy of it counts.
  ReadableBytes Lend() const;

  /// Takes them back: no more of them can be lent. Waits until nobody holds them; false at
  /// `deadline`.
  bool WaitUntilReturned(TimePoint deadline);

 private:
  struct State;
  std::span<const std::byte> bytes_;
  std::shared_ptr<State> state_;
  std::shared_ptr<const void> hold_;  ///< Null once they are taken back.
};

}  // namespace tandem::transfer
