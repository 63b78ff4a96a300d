#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/extent_grant.h"
#include "base/mutex.h"
#include "store/proto/master_client.h"
#include "transfer/extent.h"

namespace tandem::store {

/// One place where an object's bytes are.
struct ReplicaLocation {
  transfer::Extent extent;
  std::shared_ptr<const proto::Segment> segment;
  ExtentGrant grant{};   ///< To read it.
  bool on_disk = false;  ///< Of the segment's owner, rather than in the segment.
};

/// What the master says about an object that is there.
struct FoundObject {
  uint64_t size = 0;
  uint64_t checksum = 0;
  std::vector<ReplicaLocation> replicas;
  TimePoint expires;  ///< End of its lease, counted from before the question was sent.
};

transfer::Extent FromProto(const proto::Extent& extent);
proto::Extent ToProto(const transfer::Extent& extent, const std::string& segment);

/// The segments that a response names, by name.
using SegmentsByName = std::unordered_map<std::string, std::shared_ptr<const proto::Segment>>;
SegmentsByName IndexSegments(const google::protobuf::RepeatedPtrField<proto::Segment>& segments);

/// What finds have learned, until the leases end, so that a read of what was just found asks
/// nobody. Safe for use by several threads.
class FoundObjects {
 public:
  explicit FoundObjects(const Clock& clock) : clock_(clock) {}

  void Remember(const std::string& key, std::shared_ptr<const FoundObject> object);
  /// Null if nothing is known, or not any more.
  std::shared_ptr<const FoundObject> Recall(const std::string& key);
  void Forget(const std::string& key);

 private:
  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const FoundObject>> objects_
      ABSL_GUARDED_BY(mutex_);
  size_t sweep_at_ ABSL_GUARDED_BY(mutex_) = 1024;
};

}  // namespace tandem::store
