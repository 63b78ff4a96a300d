#pragma once

#include <string>
#include <vector>

#include "store/master/client_table.h"
#include "store/master/eviction.h"
#include "store/master/master_metrics.h"
#include "store/master/master_options.h"
#include "store/master/object_index.h"
#include "store/master/placement.h"
#include "store/master/segment_table.h"
#include "store/proto/error_code.h"
#include "store/proto/store.pb.h"

namespace tandem::store {

/// What becomes of objects: put, found, removed, evicted, lost and registered again. Frees the
/// extents of what goes and tells their owners through the client table. Not synchronised.
class ObjectCatalog {
 public:
  /// The references must outlive this.
  ObjectCatalog(const MasterOptions& options, SegmentTable& segments, ClientTable& clients,
                MasterMetrics& metrics);

  struct PutRequest {
    std::string writer;
    std::string key;
    uint64_t size;
    const proto::ReplicateConfig& config;
  };
  /// Takes space for an object, evicting others if there is none; sets `put` on kOk. kObjectExists
  /// if the key is complete, kReplicaNotReady while another put of it is younger than
  /// put_start_discard_timeout; an older one loses its key to this.
  ErrorCode StartPut(const PutRequest& request, TimePoint now, const Object** put);

  /// Publishes those replicas of a put that `item` names and frees its others. Done twice, it is
  /// kOk twice. kObjectExists if another put of that key was faster.
  ErrorCode EndPut(const std::string& writer, const proto::PutEndItem& item, TimePoint now);
  ErrorCode RevokePut(const std::string& writer, const proto::PutEndItem& item);

  /// A complete object; kReplicaNotReady if it is being put, kObjectNotFound.
  ErrorCode Find(const std::string& key, const Object** object) const;
  /// Find, with a lease on what is found.
  ErrorCode FindAndLease(const std::string& key, TimePoint now, const Object** object);

  /// kObjectHasLease if readers hold one and `force` is not set.
  ErrorCode Remove(const std::string& key, bool force, TimePoint now);
  ErrorCode LoseReplica(const proto::LostReplica& replica);

  /// Takes in what `owner` holds. False if it must drop it: a newer generation of the object or of
  /// the space is there, it was removed, or it does not lie in a segment of that owner.
  bool Register(const std::string& owner, const proto::HeldObject& held, TimePoint now);

  /// Forgets every replica on a segment; the owner is not told.
  void DropReplicasOn(MountedSegment& segment);

  /// Ends puts that started put_start_release_timeout ago.
  void ReleaseStalePuts(TimePoint now);

  const ObjectIndex& index() const { return index_; }

 private:
  std::vector<Replica> TakeSpace(const PutRequest& request, TimePoint now);
  std::vector<Replica> TryTakeSpace(const PutRequest& request, TimePoint now);
  /// Evicts until `bytes` are free or nothing is left that may go; returns the bytes freed.
  uint64_t Evict(uint64_t bytes, TimePoint now);
  void EvictAboveWatermark(TimePoint now);

  Replica MakeReplica(MountedSegment& segment, uint64_t offset);
  void FreeReplica(const Object& object, const Replica& replica);
  void Erase(Object& object);
  /// Frees the replicas for which `keep` is false.
  template <typename Predicate>
  void KeepReplicas(Object& object, Predicate keep);
  Object* FindPut(const std::string& writer, const proto::PutEndItem& item) const;
  bool SupersedeBy(const proto::HeldObject& held);

  const MasterOptions options_;
  SegmentTable& segments_;
  ClientTable& clients_;
  MasterMetrics& metrics_;
  ObjectIndex index_;
  EvictionOrder eviction_order_;
  Placement placement_;
  uint64_t next_generation_;
};

}  // namespace tandem::store
