#include "store/master/segment_grants.h"

namespace tandem::store {

void SegmentGrants::SetKey(std::string_view bytes) {
  if (key_.has_value() && key_->bytes() == bytes) return;
  key_.reset();
  if (auto key = ExtentGrantKey::FromBytes(bytes); key.ok()) key_ = *std::move(key);
}

void SegmentGrants::SetClock(uint64_t owners_milliseconds, TimePoint now) {
  if (owners_milliseconds == 0) return;
  told_ = owners_milliseconds;
  told_at_ = now;
}

std::string SegmentGrants::Sign(const GrantedExtent& extent, TimePoint expires) const {
  if (!key_.has_value()) return "";
  const auto later = std::chrono::duration_cast<std::chrono::milliseconds>(expires - told_at_);
  return PackGrant(key_->Sign(extent, told_ + static_cast<uint64_t>(later.count())));
}

}  // namespace tandem::store
