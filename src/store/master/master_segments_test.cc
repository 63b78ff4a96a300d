#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kGigabyte = uint64_t{1} << 30;
constexpr uint64_t kMegabyte = uint64_t{1} << 20;

proto::MountSegmentResponse MountOn(Pool& pool, const std::string& boot, uint64_t budget,
                                    const std::string& name, uint64_t bytes) {
  proto::MountSegmentRequest request;
  request.set_client_id(name);
  request.mutable_segment()->set_name(name);
  request.mutable_segment()->set_size(bytes);
  request.set_boot_id(boot);
  request.set_host_budget(budget);
  return pool.master.MountSegment(request);
}

TEST(MasterMount, LowersWhatExceedsTheHostsBudgetAndSaysSo) {
  Pool pool;
  const uint64_t budget = 112 * kGigabyte / 10;
  const auto first = MountOn(pool, "host", budget, "a", 30 * kGigabyte);
  EXPECT_EQ(first.code(), kOk);
  EXPECT_EQ(first.granted(), budget / 2 / kMegabyte * kMegabyte);
  EXPECT_EQ(first.reason(),
            "30.0 GB asked for; all segments of this host together may take 11.2 GB (50 % of its "
            "available memory): granted 5.6 GB");
  const auto second = MountOn(pool, "host", budget, "b", 30 * kGigabyte);
  EXPECT_THAT(second.reason(), HasSubstr("of which 5.6 GB are taken: granted 2.8 GB"));
  EXPECT_LE(first.granted() + second.granted(), budget);
}

TEST(MasterMount, GrantsWhatFitsInFull) {
  Pool pool;
  const auto mounted = MountOn(pool, "host", kGigabyte, "a", kGigabyte);
  EXPECT_EQ(mounted.granted(), kGigabyte);
  EXPECT_EQ(mounted.reason(), "");
  const auto other_host = MountOn(pool, "other", kGigabyte, "b", kGigabyte);
  EXPECT_EQ(other_host.granted(), kGigabyte);
}

TEST(MasterMount, RefusesWhereNextToNothingIsLeft) {
  Pool pool;
  MountOn(pool, "host", kGigabyte, "a", kGigabyte - 20 * kMegabyte);
  const auto refused = MountOn(pool, "host", kGigabyte, "b", kGigabyte);
  EXPECT_EQ(refused.code(), kNoSpace);
  EXPECT_THAT(refused.reason(), HasSubstr("1.0 GB asked for"));
  EXPECT_EQ(MountOn(pool, "host", kGigabyte, "b", kMegabyte).granted(), kMegabyte);
}

TEST(MasterMount, KeepsANameForItsClient) {
  Pool pool;
  ASSERT_EQ(pool.Mount("a", kMegabyte).code(), kOk);
  EXPECT_EQ(pool.Mount("a", kMegabyte).granted(), kMegabyte);
  proto::MountSegmentRequest other;
  other.set_client_id("b");
  other.mutable_segment()->set_name("a");
  other.mutable_segment()->set_size(kMegabyte);
  other.set_host_budget(kGigabyte);
  EXPECT_EQ(pool.master.MountSegment(other).code(), kSegmentExists);
  pool.Pass(seconds(10));
  EXPECT_EQ(pool.master.MountSegment(other).code(), kOk);
}

TEST(MasterMount, RefusesASegmentWithoutNameClientOrSize) {
  Pool pool;
  EXPECT_EQ(pool.Mount("", kMegabyte).code(), kInvalidParams);
  EXPECT_EQ(pool.Mount("a", 0).code(), kInvalidParams);
  EXPECT_EQ(pool.Mount("a", ~uint64_t{0}, true).code(), kInvalidParams);
}

TEST(MasterMount, ForgetsWhatLayOnAnUnmountedSegment) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  pool.Mount("b", kMegabyte);
  proto::ReplicateConfig both;
  both.set_replica_num(2);
  pool.Put("a", "on both", 100, both);
  pool.Put("a", "on a", 100);
  proto::UnmountSegmentRequest request;
  request.set_segment("a");
  request.set_client_id("b");
  EXPECT_EQ(pool.master.UnmountSegment(request).code(), kSegmentNotFound);
  request.set_client_id("a");
  EXPECT_EQ(pool.master.UnmountSegment(request).code(), kOk);
  EXPECT_THAT(pool.Keys(), ElementsAre("on both"));
  EXPECT_EQ(pool.Get("on both").extents(0).segment(), "b");
  EXPECT_EQ(pool.master.usage().capacity_bytes, kMegabyte);
}

TEST(MasterPing, DropsTheSegmentsOfASilentClient) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  pool.Mount("b", kMegabyte);
  pool.Put("a", "on a", 100);
  pool.Put("b", "on b", 100);
  const auto unfinished = pool.Start("a", "unfinished", 100);
  EXPECT_EQ(pool.master.usage().active_clients, 2u);
  pool.Pass(seconds(9), {"b"});
  EXPECT_EQ(pool.Keys().size(), 2u);
  pool.Pass(seconds(1), {"b"});
  EXPECT_THAT(pool.Keys(), ElementsAre("on b"));
  EXPECT_EQ(pool.master.usage().active_clients, 1u);
  EXPECT_EQ(pool.End("a", "unfinished", unfinished), kObjectNotFound);
  EXPECT_EQ(pool.Get("on a").code(), kObjectNotFound);
}

TEST(MasterPing, AsksAClientWithoutASegmentToMountIt) {
  Pool pool;
  EXPECT_TRUE(pool.Ping("a").mount_again());
  const std::string epoch = pool.Mount("a", kMegabyte).epoch();
  const auto response = pool.Ping("a");
  EXPECT_FALSE(response.mount_again());
  EXPECT_EQ(response.epoch(), epoch);
  pool.Pass(seconds(10));
  EXPECT_TRUE(pool.Ping("a").mount_again());
}

TEST(MasterPing, ForgivesSilenceWhileTheMasterStoodStill) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  pool.Put("a", "k", 100);
  pool.clock.Advance(seconds(60));
  pool.master.ForgiveSilence(seconds(60));
  pool.master.Maintain();
  EXPECT_THAT(pool.Keys(), ElementsAre("k"));
  pool.Pass(seconds(10));
  EXPECT_THAT(pool.Keys(), IsEmpty());
}

/// Two lives of a master, with an owner that outlives the first.
class RestartTest : public testing::Test {
 protected:
  RestartTest() { first_.Mount("a", kMegabyte); }

  std::vector<proto::HeldObject> Directory() {
    std::vector<proto::HeldObject> held;
    for (const std::string& key : first_.Keys()) held.push_back(Held(key, first_.Get(key, true)));
    return held;
  }

  Pool first_{{.first_generation = 1000}};
  Pool second_{{.first_generation = 1'000'000}};
};

TEST_F(RestartTest, RebuildsWhatItsOwnersHold) {
  first_.Put("a", "k", 5000);
  first_.Put("a", "l", 100);
  const auto before = first_.Get("k");
  EXPECT_TRUE(second_.Ping("a", 57).mount_again());
  ASSERT_EQ(second_.Mount("a", kMegabyte, true).granted(), kMegabyte);
  EXPECT_THAT(second_.Register("a", Directory()), IsEmpty());
  EXPECT_EQ(second_.Get("k").SerializeAsString(), before.SerializeAsString());
  EXPECT_EQ(second_.master.usage().allocated_bytes, first_.master.usage().allocated_bytes);
  EXPECT_THAT(second_.Register("a", Directory()), IsEmpty());
  EXPECT_EQ(second_.master.usage().keys, 2u);
}

TEST_F(RestartTest, AsksNobodyToBelieveInAMissBeforeOwnersHaveRegistered) {
  first_.Put("a", "k", 5000);
  Pool later{{.first_generation = 1'000'000, .recovery_time = std::chrono::milliseconds(1)}};
  later.Mount("a", kMegabyte, true);
  later.Mount("gone", kMegabyte, true);
  std::future<int> put = std::async(std::launch::async, [&] { return later.Put("b", "k", 100); });
  std::future<int> removed =
      std::async(std::launch::async, [&] { return later.Remove("removed", true); });
  std::future<int> got = std::async(std::launch::async, [&] { return later.Get("k").code(); });
  EXPECT_THAT(later.Register("a", Directory(), false), IsEmpty());
  EXPECT_THAT(later.Register("a", {}), IsEmpty());
  proto::UnmountSegmentRequest gone;
  gone.set_client_id("gone");
  gone.set_segment("gone");
  later.master.UnmountSegment(gone);  // which ends the wait for that one
  EXPECT_EQ(put.get(), kObjectExists);
  EXPECT_EQ(got.get(), kOk);
  EXPECT_EQ(removed.get(), kObjectNotFound);
  // Those that come later are not waited for.
  later.Mount("late", kMegabyte, true);
  EXPECT_EQ(later.Get("none").code(), kObjectNotFound);
}

TEST_F(RestartTest, DoesNotConfirmWhatAnEarlierLifeRemoved) {
  first_.Put("a", "k", 5000);
  proto::RemoveRequest remove;
  remove.add_keys("k");
  remove.set_force(true);
  proto::ConfirmRemovalsRequest confirm;
  *confirm.mutable_pending() = first_.master.Remove(remove).pending();
  ASSERT_EQ(confirm.pending_size(), 1);
  second_.Mount("a", kMegabyte, true);
  const proto::ConfirmRemovalsResponse unknown = second_.master.ConfirmRemovals(confirm);
  EXPECT_EQ(unknown.code(), kRpcFailed);
  EXPECT_EQ(unknown.pending_size(), 1);
  first_.Ping("a", confirm.pending(0).sequence());
  const proto::ConfirmRemovalsResponse confirmed = first_.master.ConfirmRemovals(confirm);
  EXPECT_EQ(confirmed.code(), kOk);
  EXPECT_EQ(confirmed.pending_size(), 0);
}

TEST_F(RestartTest, MountsASizeGrantedBeforeWhateverTheBudget) {
  proto::MountSegmentRequest request;
  request.set_client_id("a");
  request.mutable_segment()->set_name("a");
  request.mutable_segment()->set_size(kGigabyte);
  request.set_exact(true);
  EXPECT_EQ(second_.master.MountSegment(request).granted(), kGigabyte);
  request.mutable_segment()->set_size(2 * kGigabyte);
  EXPECT_EQ(second_.master.MountSegment(request).code(), kSegmentExists);
}

TEST_F(RestartTest, PlacesNothingOnASegmentBeforeItsOwnerHasRegistered) {
  second_.Mount("a", kMegabyte, true);
  EXPECT_EQ(second_.Start("a", "k", 100).code(), kNoSpace);
  second_.Register("a", {}, false);
  EXPECT_EQ(second_.Start("a", "k", 100).code(), kNoSpace);
  second_.Register("a", {}, true);
  EXPECT_EQ(second_.Start("a", "k", 100).code(), kOk);
}

TEST_F(RestartTest, OpensASegmentWhoseOwnerNeverRegisters) {
  second_.Mount("a", kMegabyte, true);
  second_.Pass(seconds(10), {"a"});
  EXPECT_EQ(second_.Start("a", "k", 100).code(), kOk);
}

TEST_F(RestartTest, GivesGenerationsAboveThoseOfTheEarlierLife) {
  first_.Put("a", "k", 5000);
  auto held = Directory();
  held[0].mutable_extent()->set_generation(2'000'000);  // The wall clock went back.
  second_.Mount("a", kMegabyte, true);
  second_.Register("a", held);
  EXPECT_GT(second_.Start("a", "new", 100).extents(0).generation(), 2'000'000u);
}

TEST_F(RestartTest, RefusesWhatOverlapsANewerExtent) {
  first_.Put("a", "k", 5000);
  auto held = Directory();
  held.push_back(held[0]);
  held[1].set_key("newer");
  held[1].mutable_extent()->set_generation(held[0].extent().generation() + 1);
  second_.Mount("a", kMegabyte, true);
  EXPECT_THAT(second_.Register("a", held), ElementsAre("k"));
  EXPECT_THAT(second_.Keys(), ElementsAre("newer"));
}

TEST_F(RestartTest, RefusesWhatDoesNotLieInASegmentOfTheOwner) {
  first_.Put("a", "k", 5000);
  const auto held = Directory();
  EXPECT_THAT(second_.Register("a", held), ElementsAre("k"));
  second_.Mount("a", kMegabyte, true);
  EXPECT_THAT(second_.Register("b", held), ElementsAre("k"));
  auto outside = held;
  outside[0].mutable_extent()->set_offset(kMegabyte);
  EXPECT_THAT(second_.Register("a", outside), ElementsAre("k"));
  auto wrong_length = held;
  wrong_length[0].set_size(1);
  EXPECT_THAT(second_.Register("a", wrong_length), ElementsAre("k"));
}

TEST_F(RestartTest, TakesTheObjectOverAPutThatBeganSince) {
  first_.Put("a", "k", 5000);
  second_.Mount("b", kMegabyte);
  const auto started = second_.Start("b", "k", 5000);
  second_.Mount("a", kMegabyte, true);
  EXPECT_THAT(second_.Register("a", Directory()), IsEmpty());
  EXPECT_EQ(second_.Get("k").extents(0).segment(), "a");
  EXPECT_EQ(second_.End("b", "k", started), kObjectExists);
  EXPECT_EQ(second_.master.usage().keys, 1u);
}

TEST_F(RestartTest, CountsEqualObjectsOfTwoOwnersAsReplicas) {
  first_.Put("a", "k", 5000);
  second_.Mount("b", kMegabyte);
  second_.Put("b", "k", 5000);
  second_.Mount("a", kMegabyte, true);
  EXPECT_THAT(second_.Register("a", Directory()), IsEmpty());
  EXPECT_EQ(second_.Get("k").extents_size(), 2);
}

TEST_F(RestartTest, KeepsTheNewerOfTwoUnequalObjects) {
  first_.Put("a", "k", 5000);
  second_.Mount("b", kMegabyte);
  second_.Put("b", "k", 4000);
  second_.Mount("a", kMegabyte, true);
  EXPECT_THAT(second_.Register("a", Directory()), ElementsAre("k"));
  EXPECT_EQ(second_.Get("k").size(), 4000u);
}

TEST(MasterRegister, BringsNothingBackThatWasRemovedWhileItsOwnerWasAway) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  pool.Put("a", "kept", 100);
  pool.Put("a", "removed", 100);
  const auto kept = Held("kept", pool.Get("kept", true));
  const auto removed = Held("removed", pool.Get("removed", true));
  ASSERT_EQ(pool.Remove("removed"), kOk);
  pool.Pass(seconds(10));
  ASSERT_TRUE(pool.Ping("a").mount_again());
  pool.Mount("a", kMegabyte, true);
  EXPECT_THAT(pool.Register("a", {kept, removed}), ElementsAre("removed"));
  EXPECT_THAT(pool.Keys(), ElementsAre("kept"));
}

TEST(MasterRegister, BringsNoYoungerReplicaBackOfWhatWasRemovedOrEvictedWithoutIt) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  pool.Mount("b", kMegabyte);
  proto::ReplicateConfig both;
  both.set_replica_num(2);
  std::vector<proto::HeldObject> on_b;
  for (const std::string key : {"removed", "evicted"}) {
    ASSERT_EQ(pool.Put("a", key, 1000, both), kOk);
    const proto::GetReplicasResult found = pool.Get(key, true);
    ASSERT_EQ(found.extents_size(), 2);
    ASSERT_EQ(found.extents(1).segment(), "b");
    ASSERT_GT(found.extents(1).generation(), found.extents(0).generation());
    on_b.push_back(Held(key, found));
    *on_b.back().mutable_extent() = found.extents(1);
  }
  pool.Pass(seconds(11), {"a"});
  ASSERT_EQ(pool.Get("removed", true).extents_size(), 1);
  ASSERT_EQ(pool.Remove("removed"), kOk);
  ASSERT_EQ(pool.Put("a", "all of the memory", kMegabyte), kOk);
  ASSERT_FALSE(pool.Exists("evicted"));
  pool.Mount("b", kMegabyte, true);
  EXPECT_EQ(pool.Register("b", on_b).size(), 2u);
  EXPECT_FALSE(pool.Exists("removed") || pool.Exists("evicted"));
}

/// Far more is removed than the master remembers.
class ForgottenRemovalsTest : public testing::Test {
 protected:
  ForgottenRemovalsTest() {
    pool_.Mount("a", 10 * kMegabyte);
    for (const char* key : {"kept", "other"}) {
      EXPECT_EQ(pool_.Put("a", key, 1000), kOk);
      held_.push_back(Held(key, pool_.Get(key, true)));
    }
  }
  void RemoveMany() {
    for (int i = 0; i < 20; ++i) pool_.Remove("none" + std::to_string(i));
  }
  /// The last word its owner hears, for the time being.
  proto::PingResponse HearAll() { return pool_.Ping("a", pool_.Ping("a").sequence()); }
  std::vector<std::string> ComeBack(const proto::PingResponse& heard) {
    pool_.Mount("a", 10 * kMegabyte, true);
    return pool_.Register("a", held_, true, heard);
  }

  Pool pool_{{.tombstones = 4}};
  std::vector<proto::HeldObject> held_;
};

TEST_F(ForgottenRemovalsTest, KeepNothingOutOfWhatItsOwnerHadHeardAllOf) {
  RemoveMany();
  const proto::PingResponse heard = HearAll();
  pool_.Pass(seconds(11));
  EXPECT_THAT(ComeBack(heard), IsEmpty());
  EXPECT_THAT(pool_.Keys(), ElementsAre("kept", "other"));
}

TEST_F(ForgottenRemovalsTest, KeepOutWhatMayHaveBeenRemovedWhileItsOwnerWasAway) {
  const proto::PingResponse heard = HearAll();
  pool_.Pass(seconds(11));
  EXPECT_EQ(pool_.Remove("other"), kObjectNotFound);
  RemoveMany();
  EXPECT_THAT(ComeBack(heard), ElementsAre("other", "kept"));
}

TEST_F(ForgottenRemovalsTest, KeepOutWhatAnOwnerHeldWhoWasNotToldOfAll) {
  pool_.Pass(seconds(11));
  EXPECT_EQ(pool_.Remove("other"), kObjectNotFound);
  RemoveMany();
  EXPECT_EQ(HearAll().heard_through(), 0u);  // its segment is gone
  EXPECT_THAT(ComeBack({}), ElementsAre("other", "kept"));
}

TEST_F(ForgottenRemovalsTest, KeepOutWhatItsOwnerHeldWhoHeardOfALifeThatCountedHigher) {
  RemoveMany();
  proto::PingResponse heard = HearAll();
  pool_.Pass(seconds(11));
  heard.set_epoch("a life whose clock was ahead");
  EXPECT_THAT(ComeBack(heard), ElementsAre("other", "kept"));
}

TEST_F(ForgottenRemovalsTest, KeepOutWhatItsOwnerHeldWhoHeardOfAnEarlierLifeAlone) {
  Pool later{{.first_generation = 1000, .tombstones = 4}};
  for (int i = 0; i < 20; ++i) later.Remove("none" + std::to_string(i));
  later.Mount("a", 10 * kMegabyte, true);
  EXPECT_THAT(later.Register("a", held_, true, HearAll()), ElementsAre("other", "kept"));
}

TEST_F(ForgottenRemovalsTest, WhatIsHeardRisesWithRemovalsAlone) {
  const uint64_t before = HearAll().heard_through();
  EXPECT_GT(before, 0u);
  EXPECT_EQ(pool_.Put("a", "late", 1000), kOk);
  EXPECT_EQ(HearAll().heard_through(), before);
  EXPECT_EQ(pool_.Remove("late", true), kOk);
  const uint64_t next = pool_.Start("a", "later", 1000).extents(0).generation();
  EXPECT_EQ(HearAll().heard_through(), next);
}

TEST(MasterOptions, GenerationsOfALaterLifeAreHigher) {
  const uint64_t now = FirstGenerationOfNow();
  EXPECT_GT(now, uint64_t{1'700'000'000'000} << 20);
  EXPECT_GE(FirstGenerationOfNow(), now);
}

}  // namespace
}  // namespace tandem::store
