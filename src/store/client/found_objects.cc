#include "store/client/found_objects.h"

#include <algorithm>

namespace tandem::store {

transfer::Extent FromProto(const proto::Extent& extent) {
  return {extent.offset(), extent.length(), extent.generation()};
}

proto::Extent ToProto(const transfer::Extent& extent, const std::string& segment) {
  proto::Extent message;
  message.set_segment(segment);
  message.set_offset(extent.offset);
  message.set_length(extent.length);
  message.set_generation(extent.generation);
  return message;
}

SegmentsByName IndexSegments(const google::protobuf::RepeatedPtrField<proto::Segment>& segments) {
  SegmentsByName by_name;
  for (const proto::Segment& segment : segments) {
    by_name[segment.name()] = std::make_shared<const proto::Segment>(segment);
  }
  return by_name;
}

void FoundObjects::Remember(const std::string& key, std::shared_ptr<const FoundObject> object) {
  const TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  objects_[key] = std::move(object);
  if (objects_.size() < sweep_at_) return;
  std::erase_if(objects_, [&](const auto& entry) { return entry.second->expires <= now; });
  sweep_at_ = std::max<size_t>(1024, objects_.size() * 2);
}

std::shared_ptr<const FoundObject> FoundObjects::Recall(const std::string& key) {
  const TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return nullptr;
  if (found->second->expires > now) return found->second;
  objects_.erase(found);
  return nullptr;
}

void FoundObjects::Forget(const std::string& key) {
  MutexLock lock(mutex_);
  objects_.erase(key);
}

}  // namespace tandem::store
