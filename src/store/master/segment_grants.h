#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/extent_grant.h"

namespace tandem::store {

/// Signs grants of one segment's extents, which its owner checks, by the owner's clock: those of
/// hosts may differ by any amount. Not synchronised.
class SegmentGrants {
 public:
  /// As the owner told it; of another length than a key's, nothing is signed.
  void SetKey(std::string_view bytes);
  /// The owner's clock showed this when it was `now` here. 0 is ignored.
  void SetClock(uint64_t owners_milliseconds, TimePoint now);

  /// Empty if there is no key.
  std::string Sign(const GrantedExtent& extent, TimePoint expires) const;

  std::string key() const { return key_.has_value() ? key_->bytes() : ""; }

 private:
  std::optional<ExtentGrantKey> key_;
  uint64_t told_ = 0;
  TimePoint told_at_;
};

}  // namespace tandem::store
