#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "transfer/extent.h"

namespace tandem::store {

/// Memory for bytes on their way from or to another host, bounded in all. A buffer is given back
/// when the last of its holds is gone, which may be after this object. Some are kept for the next
/// user, whom that saves the page faults. Safe for use by several threads.
class LocalBuffers {
 public:
  explicit LocalBuffers(uint64_t capacity);

  /// Waits until there is room. InvalidArgument for more than the capacity, ResourceExhausted if
  /// the room does not come by `deadline`.
  absl::StatusOr<transfer::WritableBytes> Take(uint64_t size, TimePoint deadline);

  uint64_t capacity() const;

 private:
  struct Pool;
  const std::shared_ptr<Pool> pool_;
};

}  // namespace tandem::store
