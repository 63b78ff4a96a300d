#pragma once

#include <random>
#include <string>
#include <vector>

#include "store/master/master_options.h"
#include "store/master/segment_table.h"

namespace tandem::store {

/// Chooses the segments that an object goes to. Not synchronised.
class Placement {
 public:
  Placement(AllocationStrategy strategy, uint64_t random_seed)
      : strategy_(strategy), random_(random_seed) {}

  /// Who puts an object, where (a host_identity), and the segment it asks for, if any.
  struct Wish {
    const std::string& writer;
    const std::string& host;
    const std::string& preferred;
  };
  /// Open segments in the order in which they are to be tried: the one called `preferred` (if it is
  /// empty, those of `writer`), then the others as the strategy has it.
  std::vector<MountedSegment*> Candidates(const SegmentTable& segments, const Wish& wish,
                                          TimePoint now);

 private:
  const AllocationStrategy strategy_;
  std::mt19937_64 random_;
};

}  // namespace tandem::store
