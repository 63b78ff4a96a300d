#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <random>
#include <set>

#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kUnit = 4096;

std::string Key(int i) { return "k" + std::to_string(1000 + i); }

std::vector<std::string> KeysOf(const proto::OffloadResponse& batch) {
  std::vector<std::string> keys;
  for (const proto::HeldObject& object : batch.objects()) keys.push_back(object.key());
  return keys;
}

std::vector<uint64_t> GenerationsOf(const proto::OffloadResponse& batch) {
  std::vector<uint64_t> generations;
  for (const proto::HeldObject& object : batch.objects()) {
    generations.push_back(object.extent().generation());
  }
  return generations;
}

/// A pool of 100 units whose owner "a" has a disk.
class OffloadTest : public testing::Test {
 protected:
  explicit OffloadTest(const MasterOptions& options = Options()) : pool_(options) {
    pool_.Mount("a", 100 * kUnit);
    EXPECT_THAT(Offload("a").objects(), IsEmpty());
  }
  static MasterOptions Options() {
    MasterOptions options;
    options.offload_directory = "/data";
    return options;
  }

  proto::OffloadResponse Offload(const std::string& owner, const std::vector<uint64_t>& stored = {},
                                 const std::vector<uint64_t>& dropped = {}) {
    proto::OffloadRequest request;
    request.set_client_id(owner);
    request.set_segment(owner);
    request.mutable_stored()->Add(stored.begin(), stored.end());
    request.mutable_dropped()->Add(dropped.begin(), dropped.end());
    return pool_.master.Offload(request);
  }
  void Put(int first, int last) {
    for (int i = first; i < last; ++i) {
      pool_.clock.Advance(milliseconds(1));
      ASSERT_EQ(pool_.Put("a", Key(i), kUnit), kOk) << i;
    }
  }
  /// Puts Key(0) to Key(95), of which the first are on disk alone in the end.
  void FillMemoryAndDisk() {
    Put(0, 90);
    Offload("a", GenerationsOf(Offload("a")));
    Put(90, 96);
  }
  bool IsOnDiskAlone(const std::string& key) {
    const proto::GetReplicasResult found = pool_.Get(key, true);
    return found.code() == kOk && found.extents_size() == 1 && found.extents(0).on_disk();
  }
  proto::HeldObject HeldOnDisk(const std::string& key, const std::string& segment,
                               uint64_t generation) {
    proto::HeldObject held;
    held.set_key(key);
    held.set_size(kUnit);
    held.set_checksum(7);
    held.mutable_extent()->set_segment(segment);
    held.mutable_extent()->set_length(kUnit);
    held.mutable_extent()->set_generation(generation);
    held.mutable_extent()->set_on_disk(true);
    return held;
  }
  proto::RegisterObjectsResponse Complete(const std::string& client, const std::string& disk_id) {
    proto::RegisterObjectsRequest request;
    request.set_client_id(client);
    request.set_complete(true);
    request.set_disk_id(disk_id);
    return pool_.master.RegisterObjects(request);
  }

  Pool pool_;
};

TEST_F(OffloadTest, TellsOwnersWhereTheDiskIs) {
  const proto::MountSegmentResponse mounted = pool_.Mount("b", kUnit);
  EXPECT_EQ(mounted.offload().directory(), "/data");
  EXPECT_EQ(mounted.offload().cluster_id(), "mooncake_cluster");
  EXPECT_FALSE(Pool().Mount("b", kUnit).has_offload());
}

TEST_F(OffloadTest, TheColdestAreOnDiskWhenAnEvictionComes) {
  Put(0, 90);
  const proto::OffloadResponse batch = Offload("a");
  ASSERT_EQ(batch.objects_size(), 10);  // of two evictions' size
  EXPECT_EQ(batch.objects(0).key(), Key(0));
  EXPECT_EQ(batch.objects(9).key(), Key(9));
  EXPECT_EQ(batch.objects(0).checksum(), 7u);
  EXPECT_THAT(Offload("a", GenerationsOf(batch)).refused(), IsEmpty());
  EXPECT_EQ(pool_.metrics.offloaded_keys.Value(), 10);
  EXPECT_EQ(pool_.Get(Key(0), true).extents_size(), 2);

  Put(90, 91);
  EXPECT_EQ(pool_.metrics.evicted_keys.Value(), 6);
  EXPECT_EQ(pool_.metrics.evicted_bytes.Value(), 6 * kUnit);
  EXPECT_EQ(pool_.metrics.evicted_unstored_keys.Value(), 0);
  EXPECT_TRUE(IsOnDiskAlone(Key(0)) && IsOnDiskAlone(Key(5)));
  EXPECT_EQ(pool_.Get(Key(6), true).extents_size(), 2);
  EXPECT_EQ(pool_.Keys().size(), 91u);
  EXPECT_EQ(pool_.master.usage().disk_keys, 10u);
  EXPECT_EQ(pool_.master.usage().disk_bytes, 10 * kUnit);
  EXPECT_EQ(pool_.master.usage().allocated_bytes, 85 * kUnit);
  // Its owner lets go of the memory alone.
  const proto::PingResponse told = pool_.Ping("a");
  ASSERT_EQ(told.removed_size(), 6);
  EXPECT_TRUE(told.removed(0).memory_only());
  EXPECT_FALSE(told.removed(0).extent().on_disk());
}

TEST_F(OffloadTest, WhatIsOnDiskAloneIsThere) {
  FillMemoryAndDisk();
  proto::KeysRequest request;
  request.add_keys(Key(0));
  EXPECT_THAT(pool_.master.Exist(request).exists(), ElementsAre(1));
  EXPECT_EQ(pool_.Put("a", Key(0), kUnit), kObjectExists);
  EXPECT_EQ(pool_.Get(Key(0)).size(), kUnit);
  EXPECT_EQ(pool_.Remove(Key(0)), kObjectHasLease);
  Put(96, 300);  // its lease is no reason to take it for evictable memory
  EXPECT_TRUE(IsOnDiskAlone(Key(0)));
}

TEST_F(OffloadTest, MemoryWaitsForTheDiskUntilThereIsNoOther) {
  Put(0, 90);
  ASSERT_EQ(Offload("a").objects_size(), 10);
  Put(90, 100);
  EXPECT_EQ(pool_.metrics.evicted_keys.Value(), 0);
  Put(100, 101);
  // What the disk is at stays, what waits for it goes.
  EXPECT_TRUE(pool_.Exists(Key(0)) && pool_.Exists(Key(9)));
  EXPECT_FALSE(pool_.Exists(Key(10)));
  EXPECT_GT(pool_.metrics.evicted_unstored_keys.Value(), 0);
}

TEST_F(OffloadTest, ACallThatFailsIsNoObjectThatTheDiskDidNotTake) {
  pool_.metrics.CountCall("offload", /*failed=*/true);
  EXPECT_EQ(pool_.metrics.offload_failed_keys.Value(), 0);
}

TEST_F(OffloadTest, WhatTheDiskDidNotTakeIsEvictedAsEver) {
  Put(0, 90);
  ASSERT_EQ(Offload("a").objects_size(), 10);
  EXPECT_THAT(Offload("a").objects(),
              IsEmpty());  // nothing was stored, and it is not asked for again
  EXPECT_EQ(pool_.metrics.offload_failed_keys.Value(), 10);
  Put(90, 91);
  EXPECT_FALSE(pool_.Exists(Key(0)));
  EXPECT_TRUE(pool_.Exists(Key(6)));
  EXPECT_EQ(pool_.metrics.evicted_unstored_keys.Value(), 6);
}

TEST_F(OffloadTest, WhatIsUsedAgainIsNotCold) {
  Put(0, 90);
  pool_.Get(Key(3));
  EXPECT_THAT(KeysOf(Offload("a")), ElementsAre(Key(0), Key(1), Key(2), Key(4), Key(5), Key(6),
                                                Key(7), Key(8), Key(9), Key(10)));
}

TEST_F(OffloadTest, LeavesPinnedObjectsInMemory) {
  proto::ReplicateConfig hard, soft;
  hard.set_hard_pin(true);
  soft.set_soft_pin(true);
  ASSERT_EQ(pool_.Put("a", "hard", kUnit, hard), kOk);
  ASSERT_EQ(pool_.Put("a", "soft", kUnit, soft), kOk);
  Put(0, 88);
  const std::vector<std::string> keys = KeysOf(Offload("a"));
  EXPECT_EQ(keys.size(), 10u);
  EXPECT_EQ(keys[0], Key(0));
}

TEST_F(OffloadTest, ARegistrationLeavesTheDiskItsBatch) {
  Put(0, 90);
  ASSERT_EQ(Offload("a").objects_size(), 10);
  EXPECT_THAT(pool_.Register("a", {}), IsEmpty());
  Put(90, 120);
  EXPECT_TRUE(pool_.Exists(Key(0)) && pool_.Exists(Key(9)));
}

TEST_F(OffloadTest, ARemovalTakesThingsOffTheDisk) {
  FillMemoryAndDisk();
  const uint64_t alone = pool_.Get(Key(0), true).extents(0).generation();
  const uint64_t both = pool_.Get(Key(9), true).extents(0).generation();
  pool_.Ping("a", pool_.Ping("a").sequence());
  proto::RemoveRequest request;
  request.add_keys(Key(0));
  request.add_keys(Key(9));
  const proto::RemoveResponse removed = pool_.master.Remove(request);
  EXPECT_THAT(removed.codes(), ElementsAre(kOk, kOk));
  // The end of its owner's process would confirm nothing.
  ASSERT_EQ(removed.pending_size(), 1);
  EXPECT_TRUE(removed.pending(0).on_disk());
  const proto::PingResponse told = pool_.Ping("a");
  std::set<std::pair<uint64_t, bool>> gone;
  for (const proto::ObjectExtent& extent : told.removed()) {
    EXPECT_FALSE(extent.memory_only());
    gone.insert({extent.extent().generation(), extent.extent().on_disk()});
  }
  EXPECT_EQ(gone,
            (std::set<std::pair<uint64_t, bool>>{{alone, true}, {both, false}, {both, true}}));
  EXPECT_EQ(pool_.master.usage().disk_keys, 8u);
  pool_.Ping("a", told.sequence());
  EXPECT_THAT(pool_.Register("a", {HeldOnDisk(Key(0), "a", alone)}), ElementsAre(Key(0)));
}

TEST_F(OffloadTest, WhatIsRemovedWhileItIsStoredIsTakenOffAgain) {
  Put(0, 90);
  const std::vector<uint64_t> batch = GenerationsOf(Offload("a"));
  ASSERT_EQ(pool_.Remove(Key(0)), kOk);
  // The disk still reads its memory, which nobody else gets.
  const proto::PingResponse told = pool_.Ping("a");
  EXPECT_FALSE(told.removed(0).memory_only());
  pool_.Ping("a", told.sequence());
  EXPECT_EQ(pool_.master.usage().allocated_bytes, 90 * kUnit);
  EXPECT_THAT(Offload("a", batch).refused(), ElementsAre(batch[0]));
  pool_.Ping("a");
  EXPECT_EQ(pool_.master.usage().allocated_bytes, 89 * kUnit);
  EXPECT_EQ(pool_.master.usage().disk_keys, 9u);
}

TEST_F(OffloadTest, WhatTheDiskDroppedIsGoneUnlessItIsInMemory) {
  FillMemoryAndDisk();
  const uint64_t alone = pool_.Get(Key(0), true).extents(0).generation();
  const uint64_t both = pool_.Get(Key(9), true).extents(0).generation();
  Offload("a", {}, {alone, both, 999'999});
  EXPECT_FALSE(pool_.Exists(Key(0)));
  EXPECT_EQ(pool_.Get(Key(9), true).extents_size(), 1);
  EXPECT_FALSE(pool_.Get(Key(9), true).extents(0).on_disk());
  EXPECT_EQ(pool_.metrics.disk_dropped_keys.Value(), 2);
  EXPECT_EQ(pool_.master.usage().disk_keys, 8u);
}

TEST_F(OffloadTest, WhatCannotBeReadFromDiskIsAMiss) {
  FillMemoryAndDisk();
  const proto::Extent alone = pool_.Get(Key(0), true).extents(0);
  EXPECT_EQ(pool_.Lose(Key(0), alone), kOk);
  EXPECT_FALSE(pool_.Exists(Key(0)));
  EXPECT_EQ(pool_.metrics.lost_on_disk.Value(), 1);
  EXPECT_EQ(pool_.Lose(Key(0), alone), kObjectNotFound);
  // Of two copies the other one stays.
  proto::GetReplicasResult found = pool_.Get(Key(9), true);
  ASSERT_EQ(found.extents_size(), 2);
  EXPECT_EQ(pool_.Lose(Key(9), found.extents(found.extents(0).on_disk() ? 1 : 0)), kOk);
  EXPECT_TRUE(IsOnDiskAlone(Key(9)));
  Put(96, 200);
  EXPECT_TRUE(IsOnDiskAlone(Key(9)));
}

TEST_F(OffloadTest, AnOwnerThatCameBackRegistersItsDisk) {
  FillMemoryAndDisk();
  const uint64_t first = pool_.Get(Key(0), true).extents(0).generation();
  const uint64_t second = pool_.Get(Key(1), true).extents(0).generation();
  const uint64_t third = pool_.Get(Key(2), true).extents(0).generation();
  pool_.Pass(seconds(11));  // the owner is dead
  EXPECT_THAT(pool_.Keys(), IsEmpty());
  // Meanwhile one is removed and one put elsewhere.
  EXPECT_EQ(pool_.Remove(Key(1)), kObjectNotFound);
  pool_.Mount("b", 10 * kUnit);
  ASSERT_EQ(pool_.Put("b", Key(2), 2 * kUnit), kOk);

  pool_.Mount("c", 10 * kUnit);
  EXPECT_THAT(pool_.Register("c", {HeldOnDisk(Key(0), "c", first), HeldOnDisk(Key(1), "c", second),
                                   HeldOnDisk(Key(2), "c", third)}),
              ElementsAre(Key(2), Key(1)));
  EXPECT_TRUE(IsOnDiskAlone(Key(0)));
  EXPECT_EQ(pool_.Get(Key(0), true).extents(0).segment(), "c");
  EXPECT_EQ(pool_.Get(Key(2), true).size(), 2 * kUnit);
  EXPECT_EQ(pool_.Put("b", Key(0), kUnit), kObjectExists);
}

/// While an owner is away that has objects on its disk.
class RemoveManyTest : public OffloadTest {
 protected:
  RemoveManyTest() {
    FillMemoryAndDisk();
    before_ = pool_.Get(Key(0), true).extents(0).generation();
    pool_.Pass(seconds(11));
    pool_.Mount("b", 10 * kUnit);
  }
  void RemoveAll(bool force = true) {
    proto::RemoveAllRequest request;
    request.set_force(force);
    ASSERT_EQ(pool_.master.RemoveAll(request).code(), kOk);
  }
  int RemoveByRegex(const std::string& pattern) {
    proto::RemoveByRegexRequest request;
    request.set_pattern(pattern);
    return pool_.master.RemoveByRegex(request).code();
  }
  /// The owner is back, with objects of that generation and the next ones: which it may not bring.
  std::vector<std::string> ComeBack(const std::vector<std::string>& keys, uint64_t generation) {
    pool_.Mount("c", 10 * kUnit);
    std::vector<proto::HeldObject> held;
    for (const std::string& key : keys) held.push_back(HeldOnDisk(key, "c", generation++));
    return pool_.Register("c", held);
  }

  uint64_t before_ = 0;
};

TEST_F(RemoveManyTest, AllThatAnOwnerWhoIsAwayHoldsIsRemovedWithTheRest) {
  RemoveAll();
  ASSERT_EQ(pool_.Put("b", "new", kUnit), kOk);
  const uint64_t after = pool_.Get("new", true).extents(0).generation() + 1;
  EXPECT_THAT(ComeBack({Key(0)}, before_), ElementsAre(Key(0)));
  EXPECT_THAT(ComeBack({Key(1)}, after), IsEmpty());
  EXPECT_THAT(pool_.Keys(), UnorderedElementsAre("new", Key(1)));
}

TEST_F(RemoveManyTest, OfAPatternWhatMatchesIt) {
  ASSERT_EQ(RemoveByRegex("^a/"), kOk);
  ASSERT_EQ(RemoveByRegex("("), kInvalidParams);
  EXPECT_THAT(ComeBack({"a/1", "b/a/1"}, before_), ElementsAre("a/1"));
}

TEST_F(RemoveManyTest, KeepsOutByTheLastSixteenPatterns) {
  for (int i = 0; i < 17; ++i) ASSERT_EQ(RemoveByRegex("^" + std::to_string(i) + "$"), kOk);
  ASSERT_EQ(RemoveByRegex("^1$"), kOk);  // known already
  EXPECT_THAT(ComeBack({"0", "1", "16"}, before_), UnorderedElementsAre("1", "16"));
}

TEST_F(RemoveManyTest, WhatStaysAsItHasALeaseMayComeBackWithItsOwner) {
  ASSERT_EQ(pool_.Put("b", "read", kUnit), kOk);
  const uint64_t read = pool_.Get("read").extents(0).generation();
  RemoveAll(/*force=*/false);
  ASSERT_THAT(pool_.Keys(), ElementsAre("read"));
  pool_.Pass(seconds(11));  // its owner dies, too
  EXPECT_THAT(ComeBack({"read", Key(0)}, read), IsEmpty());
  EXPECT_THAT(ComeBack({Key(2)}, before_), ElementsAre(Key(2)));
}

TEST_F(RemoveManyTest, WhatIsBeingPutMayComeBackWithItsOwner) {
  const proto::PutStartResult started = pool_.Start("b", "put", kUnit);
  RemoveAll();
  ASSERT_EQ(pool_.End("b", "put", started), kOk);
  const uint64_t put = pool_.Get("put", true).extents(0).generation();
  pool_.Pass(seconds(11));
  EXPECT_THAT(ComeBack({"put"}, put), IsEmpty());
}

TEST_F(OffloadTest, RegistersMemoryAndDiskOfOneObjectInAnyOrder) {
  FillMemoryAndDisk();
  pool_.Ping("a", pool_.Ping("a").sequence());
  const proto::GetReplicasResult found = pool_.Get(Key(9), true);
  proto::HeldObject memory = Held(Key(9), found), disk = memory;
  *memory.mutable_extent() = found.extents(found.extents(0).on_disk() ? 1 : 0);
  *disk.mutable_extent() = found.extents(found.extents(0).on_disk() ? 0 : 1);
  for (const bool memory_first : {true, false}) {
    pool_.Pass(seconds(11));
    pool_.Mount("a", 100 * kUnit, /*exact=*/true);
    EXPECT_THAT(pool_.Register("a", {memory_first ? memory : disk}, false), IsEmpty());
    EXPECT_THAT(pool_.Register("a", {memory_first ? disk : memory}), IsEmpty());
    EXPECT_EQ(pool_.Get(Key(9), true).extents_size(), 2);
    EXPECT_EQ(pool_.Ping("a").removed_size(), 0);
  }
  // It can be evicted as any other.
  Offload("a");
  Put(100, 195);
  EXPECT_TRUE(IsOnDiskAlone(Key(9)));
}

TEST_F(OffloadTest, WhoeverHasTheDirectoryShowsThatItsLastUserHasEnded) {
  Complete("a", "disk");
  FillMemoryAndDisk();
  proto::RemoveRequest request;
  request.add_keys(Key(0));
  request.set_wait_milliseconds(10'000);
  auto removing =
      std::async(std::launch::async, [&] { return pool_.master.Remove(request).pending_size(); });
  while (pool_.Exists(Key(0))) std::this_thread::yield();
  pool_.Mount("b", 10 * kUnit);
  // A message of its own: nothing that the removal concerns is on the disk any more.
  Complete("b", "disk");
  EXPECT_EQ(removing.get(), 0);
  EXPECT_THAT(pool_.Keys(), IsEmpty());
  EXPECT_EQ(pool_.master.usage().segments, 1u);
}

TEST_F(OffloadTest, ADiskStaysWhenItsOwnerLeaves) {
  FillMemoryAndDisk();
  ASSERT_EQ(pool_.Remove(Key(0)), kOk);
  proto::UnmountSegmentRequest leave;
  leave.set_client_id("a");
  leave.set_segment("a");
  ASSERT_EQ(pool_.master.UnmountSegment(leave).code(), kOk);
  proto::RemoveRequest request;
  request.add_keys(Key(0));
  const proto::RemoveResponse again = pool_.master.Remove(request);
  ASSERT_EQ(again.pending_size(), 1);
  EXPECT_TRUE(again.pending(0).on_disk());
}

TEST_F(OffloadTest, WaitsForAnOwnerToOpenItsDisk) {
  pool_.Mount("b", 100 * kUnit);
  for (int i = 0; i < 90; ++i) ASSERT_EQ(pool_.Put("b", "b" + Key(i), kUnit), kOk);
  Put(0, 85);
  EXPECT_THAT(Offload("a").objects(), IsEmpty());  // the coldest are on b
  EXPECT_GT(Offload("b").objects_size(), 0);
}

TEST_F(OffloadTest, AnOwnerWithoutADiskKeepsNobodyWaiting) {
  pool_.Mount("b", 100 * kUnit);
  for (int i = 0; i < 90; ++i) ASSERT_EQ(pool_.Put("b", "b" + Key(i), kUnit), kOk);
  pool_.Pass(seconds(11), {"a", "b"});
  Put(0, 85);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(pool_.Put("b", "more" + Key(i), kUnit), kOk);
  }
  EXPECT_FALSE(pool_.Exists("b" + Key(0)));
}

TEST_F(OffloadTest, RefusesThoseWithoutTheSegment) {
  EXPECT_EQ(Offload("nobody").code(), kSegmentNotFound);
  Pool without;
  without.Mount("a", kUnit);
  proto::OffloadRequest request;
  request.set_client_id("a");
  request.set_segment("a");
  EXPECT_EQ(without.master.Offload(request).code(), kInvalidParams);
}

TEST_F(OffloadTest, AnswersAnOwnerThatWaitsOnceThereIsSomethingToStore) {
  Put(0, 80);
  proto::OffloadRequest request;
  request.set_client_id("a");
  request.set_segment("a");
  request.set_wait_milliseconds(10'000);
  auto waiting =
      std::async(std::launch::async, [&] { return pool_.master.Offload(request).objects_size(); });
  Put(80, 90);
  EXPECT_GT(waiting.get(), 0);
}

/// Whatever is put, used, stored, dropped and removed: memory and disk are accounted for.
TEST_F(OffloadTest, KeepsItsAccountsOverRandomUse) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&random](int most) {
      return std::uniform_int_distribution<int>(0, most)(random);
    };
    MasterOptions options = Options();
    options.random_seed = seed;
    Pool pool(options);
    std::map<std::string, std::vector<uint64_t>> at;  // what each owner is at, and has
    std::map<std::string, std::set<uint64_t>> on_disk;
    pool.Mount("a", 64 * kUnit);
    pool.Mount("b", 32 * kUnit);
    for (int step = 0; step < 3000; ++step) {
      const std::string key = Key(pick(60));
      const std::string owner = pick(1) == 0 ? "a" : "b";
      proto::ReplicateConfig config;
      config.set_replica_num(1 + (pick(5) == 0));
      config.set_soft_pin(pick(3) == 0);
      switch (pick(6)) {
        case 0:
          pool.Remove(key, pick(1) == 0);
          break;
        case 1: {
          const auto found = pool.Get(key, true);
          if (found.code() == kOk && pick(5) == 0) pool.Lose(key, found.extents(0));
          break;
        }
        case 2:
          pool.Get(key);
          break;
        case 3:
          pool.Pass(seconds(pick(4)), {"a", "b"});
          break;
        case 4: {
          proto::OffloadRequest request;
          request.set_client_id(owner);
          request.set_segment(owner);
          for (const uint64_t generation : at[owner]) {
            if (pick(4) == 0) continue;
            request.add_stored(generation);
            on_disk[owner].insert(generation);
          }
          if (pick(3) == 0 && !on_disk[owner].empty()) {
            request.add_dropped(*on_disk[owner].begin());
            on_disk[owner].erase(on_disk[owner].begin());
          }
          const auto batch = pool.master.Offload(request);
          for (const uint64_t refused : batch.refused()) on_disk[owner].erase(refused);
          at[owner] = GenerationsOf(batch);
          break;
        }
        default:
          pool.Put(owner, key, uint64_t(1 + pick(5 * kUnit)), config);
      }
      const proto::PingResponse told = pool.Ping(owner);
      for (const proto::ObjectExtent& removed : told.removed()) {
        if (!removed.memory_only()) on_disk[owner].erase(removed.extent().generation());
      }
      pool.Ping(owner, told.sequence());
    }
    for (const std::string owner : {"a", "b"}) {
      proto::OffloadRequest request;
      request.set_client_id(owner);
      request.set_segment(owner);
      pool.master.Offload(request);
      pool.Ping(owner, pool.Ping(owner).sequence());
      // The batch of that answer is not read by anybody.
      pool.master.Offload(request);
    }
    pool.Pass(seconds(1000), {"a", "b"});
    uint64_t memory = 0, disk = 0;
    for (const std::string& key : pool.Keys()) {
      const auto found = pool.Get(key, true);
      for (const proto::Extent& extent : found.extents()) {
        if (extent.on_disk()) {
          disk += found.size();
          EXPECT_TRUE(on_disk[extent.segment()].contains(extent.generation())) << "seed " << seed;
        } else {
          memory += (found.size() + 63) / 64 * 64;
        }
      }
    }
    EXPECT_EQ(pool.master.usage().allocated_bytes, memory) << "seed " << seed;
    EXPECT_EQ(pool.master.usage().disk_bytes, disk) << "seed " << seed;
    pool.master.RemoveAll({});
    pool.Pass(seconds(2), {"a", "b"});
    EXPECT_EQ(pool.master.usage().disk_bytes, 0u) << "seed " << seed;
    EXPECT_EQ(pool.master.usage().keys, 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tandem::store
