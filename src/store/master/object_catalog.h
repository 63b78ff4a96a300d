#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "store/master/client_table.h"
#include "store/master/eviction.h"
#include "store/master/master_metrics.h"
#include "store/master/master_options.h"
#include "store/master/object_index.h"
#include "store/master/offloading.h"
#include "store/master/placement.h"
#include "store/master/segment_table.h"
#include "store/master/tombstones.h"
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
    const std::string& host;  ///< The writer's host_identity.
  };
  /// Takes space for an object, evicting others if there is none; sets `put` on kOk. kObjectExists
  /// if the key is complete, kReplicaNotReady while another put of it is younger than
  /// put_start_discard_timeout; an older one loses its key to this.
  ErrorCode StartPut(const PutRequest& request, TimePoint now, const Object** put);

  /// Publishes those replicas of a put that `item` names and frees its others. Done twice, it is
  /// kOk twice. kObjectExists if another put of that key was faster.
  ErrorCode EndPut(const std::string& writer, const proto::PutEndItem& item, TimePoint now);
  ErrorCode RevokePut(const std::string& writer, const proto::PutEndItem& item);

  /// Has the memory that lookups of these keys need fetched, all at once: among a million objects
  /// most of it is in no cache.
  template <typename Keys>
  void Prefetch(const Keys& keys) const {
    index_.Prefetch(keys);
  }

  /// A complete object; kReplicaNotReady if it is being put, kObjectNotFound.
  ErrorCode Find(const std::string& key, const Object** object) const;
  /// Find, with a lease on what is found.
  ErrorCode FindAndLease(const std::string& key, TimePoint now, const Object** object);

  /// kObjectHasLease if readers hold one and `force` is not set. Also a key that is not there may
  /// have a holder who is away: what that one holds does not come back either.
  ErrorCode Remove(const std::string& key, bool force, TimePoint now);
  /// Whether readers may still find an object that was removed, where they remember it: it had a
  /// lease, which still runs, and an owner has yet to forget it.
  bool MayBeRemembered(const std::string& key, TimePoint now);
  /// Calls `visit` with the keys of which that may be so.
  template <typename Visitor>
  void ForEachRemembered(Visitor visit) const {
    for (const auto& [key, until] : remembered_) visit(key);
  }
  bool AnyRemembered() const { return !remembered_.empty(); }
  void SweepRemembered(TimePoint now);
  ErrorCode LoseReplica(const proto::LostReplica& replica, TimePoint now);

  struct Registrant {
    std::string client_id;
    uint64_t heard_through = 0;  ///< It knows of all removals below this generation.
  };
  /// Takes in what an owner holds. False if it must drop it: a newer generation of the object or of
  /// the space is there, it was or may have been removed, or it does not lie in a segment of that
  /// owner.
  bool Register(const Registrant& owner, const proto::HeldObject& held, TimePoint now);

  /// An owner has stored that object of its segment on disk. False if it is to be taken off again,
  /// as the object is not there any more.
  bool NoteStored(MountedSegment& segment, uint64_t generation);
  /// An owner's disk holds that one no more.
  void DropStored(MountedSegment& segment, uint64_t generation, TimePoint now);
  Offloading& offloading() { return offloading_; }
  /// Starts an eviction, or has objects stored ahead of one, if so much is in use; does one step.
  void EvictAboveWatermark(TimePoint now);

  /// As Register, from a snapshot: until the owner registers the same, it may be outdated.
  void Restore(const Registrant& owner, const proto::HeldObject& held, TimePoint now);
  /// Forgets what only a snapshot says is on a segment; the owner is not told.
  void DropUnconfirmed(MountedSegment& segment, TimePoint now);

  /// Describes the replica of that generation on a segment; false if it is not there, complete.
  bool Describe(const MountedSegment& segment, uint64_t generation, proto::HeldObject& held) const;

  /// What was removed since the last call, if it is to be kept.
  void KeepRemoved() { keep_removed_ = true; }
  std::vector<proto::Tombstone> TakeRemoved() { return std::exchange(removed_, {}); }

  Tombstones& tombstones() { return tombstones_; }
  uint64_t next_generation() const { return next_generation_; }
  /// All removals so far have lower ones.
  uint64_t removals_below() const { return removals_below_; }
  /// Generations from here on are not lower.
  void StartAt(uint64_t generation) {
    next_generation_ = std::max(next_generation_, generation);
    removals_below_ = next_generation_;
  }

  /// Forgets every replica on a segment, and on its owner's disk; the owner is not told.
  void DropReplicasOn(MountedSegment& segment, TimePoint now);

  /// A reader of `owner`'s segment holds the object of that generation mapped: its lease goes on.
  void Hold(const std::string& owner, uint64_t generation, TimePoint now);

  /// Frees the space of objects that the owner has forgotten and of which it holds none of `held`
  /// for readers any more.
  void FreeLingering(const std::string& owner,
                     const google::protobuf::RepeatedField<uint64_t>& held);

  /// Ends puts that started put_start_release_timeout ago.
  void ReleaseStalePuts(TimePoint now);

  /// An eviction of many objects goes in steps, one with each call that puts: does the next step of
  /// the one under way. False if there is nothing more to do.
  bool ContinueEviction(TimePoint now);

  const ObjectIndex& index() const { return index_; }

 private:
  Replicas TakeSpace(const PutRequest& request, TimePoint now);
  Replicas TryTakeSpace(const PutRequest& request, TimePoint now);
  /// Evicts until `bytes` are free, so many objects have gone or nothing is left that may go;
  /// returns the bytes freed.
  enum class Urgency { kCanWait, kNow };
  uint64_t Evict(uint64_t bytes, TimePoint now, size_t most_objects, Urgency urgency);
  Object* NextVictim(TimePoint now, Urgency urgency);

  Replica MakeReplica(MountedSegment& segment, uint64_t offset);
  /// What readers may still hold, an object with a lease, keeps its space for now.
  enum class Readers { kNone, kMayHold };
  void FreeReplica(const Object& object, const Replica& replica, Readers readers,
                   bool stays_on_disk);
  void Erase(Object& object, Readers readers = Readers::kNone);
  /// Frees the replicas for which `keep` is false.
  template <typename Predicate>
  void KeepReplicas(Object& object, Predicate keep, Readers readers = Readers::kNone);
  Object* FindPut(const std::string& writer, const proto::PutEndItem& item) const;
  /// Nothing comes back of what was put under that key until now.
  proto::Tombstone Bury(const std::string& key);
  /// And it was asked for: not even after a restart.
  void BuryForGood(const std::string& key);
  bool SupersedeBy(const proto::HeldObject& held);
  bool RegisterOnDisk(MountedSegment& segment, const proto::HeldObject& held,
                      uint64_t heard_through);
  /// The object of a held one's key, made if there is none.
  Object& FindOrAdd(const proto::HeldObject& held);
  void AddStored(MountedSegment& segment, uint64_t generation, Object& object);
  /// Takes a replica off an object's list; the object goes with the last one.
  void Detach(Object& object, const MountedSegment& segment, uint64_t generation, bool on_disk,
              TimePoint now);
  /// Of an object that has lost a replica: what has no memory cannot be evicted, and what was
  /// queued to be stored may have been so for that replica.
  void Relist(Object& object, TimePoint now);

  const MasterOptions options_;
  SegmentTable& segments_;
  ClientTable& clients_;
  MasterMetrics& metrics_;
  ObjectIndex index_;
  EvictionOrder eviction_order_;
  Offloading offloading_;
  Placement placement_;
  Tombstones tombstones_;
  uint64_t next_generation_, removals_below_;
  uint64_t still_to_evict_ = 0;                             // bytes, of the eviction under way
  absl::flat_hash_map<std::string, TimePoint> remembered_;  // until when, at most
  TimePoint sweep_remembered_at_ = TimePoint::min();
  bool keep_removed_ = false;
  std::vector<proto::Tombstone> removed_;
};

}  // namespace tandem::store
