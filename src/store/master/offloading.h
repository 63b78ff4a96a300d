#pragma once

#include <vector>

#include "store/master/client_table.h"
#include "store/master/eviction.h"
#include "store/master/master_metrics.h"
#include "store/master/master_options.h"
#include "store/master/segment_table.h"

namespace tandem::store {

/// Which objects go to disk, and when: the coldest, ahead of the eviction that will want their
/// memory. Each goes to the disk of one of its owners, who asks for a batch at a time; until the
/// owner asks again, it reads their memory, which is not evicted. Not synchronised.
class Offloading {
 public:
  /// The references must outlive this.
  Offloading(const MasterOptions& options, SegmentTable& segments, ClientTable& clients,
             EvictionOrder& order, MasterMetrics& metrics)
      : options_(options),
        segments_(segments),
        clients_(clients),
        order_(order),
        metrics_(metrics) {}

  bool enabled() const { return !options_.offload_directory.empty(); }

  /// Queues objects until those that are on their way, or have got there, are as many bytes as the
  /// next evictions will take; not too many in one call.
  void Choose(TimePoint now);

  /// Gives the owner of a segment its next batch to store: the generations of complete objects.
  const std::vector<uint64_t>& HandOut(MountedSegment& segment, TimePoint now);
  /// The owner has ended with its last batch, or has gone. What is on its disk has been noted.
  void TakeBack(MountedSegment& segment, TimePoint now);

 private:
  /// The replica that is to be stored; null if there is no disk for any.
  const Replica* Storable(const Object& object) const;
  /// Whether an owner may have a disk that it has yet to open.
  bool MayGetDisk(const Object& object, TimePoint now) const;

  const MasterOptions& options_;
  SegmentTable& segments_;
  ClientTable& clients_;
  EvictionOrder& order_;
  MasterMetrics& metrics_;
};

}  // namespace tandem::store
