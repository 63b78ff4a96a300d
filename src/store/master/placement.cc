#include "store/master/placement.h"

#include <algorithm>

namespace tandem::store {
namespace {

double FreeRatio(const MountedSegment* segment) {
  const ExtentAllocator& extents = segment->extents;
  return double(extents.size() - extents.used()) / double(extents.size());
}

}  // namespace

std::vector<MountedSegment*> Placement::Candidates(const SegmentTable& segments, const Wish& wish,
                                                   TimePoint now) {
  std::vector<MountedSegment*> candidates;
  for (MountedSegment* segment : segments.All()) {
    if (segment->closed_until <= now) candidates.push_back(segment);
  }
  std::shuffle(candidates.begin(), candidates.end(), random_);

  const auto is_preferred = [&](const MountedSegment* segment) {
    return wish.preferred.empty() ? segment->owner() == wish.writer
                                  : segment->name() == wish.preferred;
  };
  const auto others = std::stable_partition(candidates.begin(), candidates.end(), is_preferred);
  if (strategy_ == AllocationStrategy::kFreeRatioFirst) {
    std::stable_sort(others, candidates.end(), [](const auto* left, const auto* right) {
      return FreeRatio(left) > FreeRatio(right);
    });
  }
  if (strategy_ == AllocationStrategy::kLocalFirst) {
    std::stable_partition(others, candidates.end(), [&](const auto* segment) {
      return !wish.host.empty() && segment->description.host_identity() == wish.host;
    });
  }
  return candidates;
}

}  // namespace tandem::store
