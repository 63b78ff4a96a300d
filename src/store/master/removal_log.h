#pragma once

#include <vector>

#include "store/proto/store.pb.h"

namespace tandem::store {

/// Where a master notes what was removed before it says so.
class RemovalLog {
 public:
  virtual ~RemovalLog() = default;
  /// Durable on return, or else nothing older is ever read back.
  virtual void Append(const std::vector<proto::Tombstone>& removed) = 0;
};

}  // namespace tandem::store
