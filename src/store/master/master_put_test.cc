#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <set>

#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr uint64_t kMegabyte = 1 << 20;

proto::ReplicateConfig Replicas(int count) {
  proto::ReplicateConfig config;
  config.set_replica_num(count);
  return config;
}

TEST(MasterPut, PublishesOnlyAtTheEnd) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  ASSERT_EQ(started.code(), kOk);
  EXPECT_EQ(pool.Get("k").code(), kReplicaNotReady);
  EXPECT_TRUE(pool.Keys().empty());
  ASSERT_EQ(pool.End("a", "k", started, 99), kOk);
  const auto found = pool.Get("k");
  EXPECT_EQ(found.code(), kOk);
  EXPECT_EQ(found.size(), 1000u);
  EXPECT_EQ(found.checksum(), 99u);
  ASSERT_EQ(found.extents_size(), 1);
  EXPECT_EQ(found.extents(0).generation(), started.extents(0).generation());
  EXPECT_THAT(pool.Keys(), ElementsAre("k"));
}

TEST(MasterPut, EndsOnceHoweverOftenItIsAsked) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  EXPECT_EQ(pool.End("a", "k", started), kOk);
  EXPECT_EQ(pool.End("a", "k", started), kOk);
  EXPECT_EQ(pool.Revoke("a", "k", started), kInvalidParams);
  EXPECT_EQ(pool.master.usage().keys, 1u);
}

TEST(MasterPut, ListensToTheWriterAlone) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  EXPECT_EQ(pool.End("b", "k", started), kInvalidParams);
  EXPECT_EQ(pool.Revoke("b", "k", started), kObjectNotFound);
  auto wrong = started;
  wrong.mutable_extents(0)->set_generation(started.extents(0).generation() + 1);
  EXPECT_EQ(pool.End("a", "k", wrong), kInvalidParams);
  EXPECT_EQ(pool.End("a", "other", started), kObjectNotFound);
  EXPECT_EQ(pool.End("a", "k", started), kOk);
}

TEST(MasterPut, GivesTheSpaceBackWhenRevoked) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  EXPECT_GT(pool.master.usage().allocated_bytes, 0u);
  EXPECT_EQ(pool.Revoke("a", "k", started), kOk);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 0u);
  EXPECT_EQ(pool.Get("k").code(), kObjectNotFound);
  EXPECT_EQ(pool.Put("a", "k", 1000), kOk);
}

TEST(MasterPut, RefusesWhatIsThereOrBeingWritten) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  EXPECT_EQ(pool.Start("b", "k", 1000).code(), kReplicaNotReady);
  pool.End("a", "k", started);
  EXPECT_EQ(pool.Start("b", "k", 1000).code(), kObjectExists);
}

TEST(MasterPut, RefusesAnEmptyKeyASizeOfNothingAndListsOfUnequalLength) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  EXPECT_EQ(pool.Start("a", "", 10).code(), kInvalidParams);
  EXPECT_EQ(pool.Start("a", "k", 0).code(), kInvalidParams);
  proto::PutStartRequest request;
  request.set_client_id("a");
  request.add_keys("x");
  request.add_keys("y");
  request.add_sizes(10);
  const auto response = pool.master.PutStart(request);
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(0).code(), kInvalidParams);
  EXPECT_EQ(response.results(1).code(), kInvalidParams);
}

TEST(MasterPut, TakesAnyUtf8KeyOfUpToAKibibyte) {
  Pool pool;
  pool.Mount("a", kMegabyte);
  for (const std::string& key :
       {std::string(1024, 'k'), std::string("模型/层 0\n\"'?&"), std::string("\0nul", 4)}) {
    EXPECT_EQ(pool.Put("a", key, 100), kOk);
    EXPECT_EQ(pool.Get(key).size(), 100u);
  }
  for (const std::string& key : {std::string(1025, 'k'), std::string(), std::string("cut \xe6\xa8"),
                                 std::string("\xff"), std::string("surrogate \xed\xa0\x80")}) {
    EXPECT_EQ(pool.Put("a", key, 100), kInvalidParams);
    EXPECT_FALSE(pool.Exists(key));
  }
  EXPECT_EQ(pool.Keys().size(), 3u);
}

TEST(MasterPut, NeedsOneFreeRangeAndReportsHowTornTheMemoryIs) {
  Pool pool({.eviction_high_watermark_ratio = 1});
  pool.Mount("a", 100 * 4096);
  proto::ReplicateConfig pinned;
  pinned.set_hard_pin(true);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(pool.Put("a", std::to_string(i), 4096, pinned), kOk);
  }
  EXPECT_EQ(pool.master.usage().fragmentation, 0);
  for (int i = 0; i < 100; i += 2) ASSERT_EQ(pool.Remove(std::to_string(i)), kOk);
  EXPECT_EQ(pool.Put("a", "two pages", 2 * 4096), kNoSpace);
  EXPECT_NEAR(pool.master.usage().fragmentation, 0.98, 1e-9);
  EXPECT_EQ(pool.master.ListSegments({}).largest_free(0), 4096u);
  EXPECT_EQ(pool.Put("a", "one page", 4096), kOk);
}

TEST(MasterPut, AnswersABatchInItsOrder) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "there", 10);
  proto::PutStartRequest request;
  request.set_client_id("a");
  for (const char* key : {"new", "there", "new"}) {
    request.add_keys(key);
    request.add_sizes(10);
  }
  const auto response = pool.master.PutStart(request);
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(0).code(), kOk);
  EXPECT_EQ(response.results(1).code(), kObjectExists);
  EXPECT_EQ(response.results(2).code(), kReplicaNotReady);
  ASSERT_EQ(response.segments_size(), 1);
  EXPECT_EQ(response.segments(0).name(), "a");
}

TEST(MasterPut, GoesToTheWritersOwnSegmentThenElsewhere) {
  Pool pool({.eviction_high_watermark_ratio = 1});
  pool.Mount("a", 4096);
  pool.Mount("b", 1 << 20);
  for (int i = 0; i < 4; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(pool.Put("a", key, 1024), kOk);
    EXPECT_EQ(pool.Get(key).extents(0).segment(), "a");
  }
  ASSERT_EQ(pool.Put("a", "more", 1024), kOk);
  EXPECT_EQ(pool.Get("more").extents(0).segment(), "b");
}

TEST(MasterPut, PrefersTheSegmentThatIsNamed) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Mount("b", 1 << 20);
  proto::ReplicateConfig config;
  config.set_preferred_segment("b");
  ASSERT_EQ(pool.Put("a", "k", 1024, config), kOk);
  EXPECT_EQ(pool.Get("k").extents(0).segment(), "b");
}

TEST(MasterPut, FillsTheEmptiestSegmentFirstIfToldTo) {
  Pool pool({.allocation_strategy = AllocationStrategy::kFreeRatioFirst});
  pool.Mount("a", 1 << 20);
  pool.Mount("b", 1 << 20);
  ASSERT_EQ(pool.Put("a", "k", 100'000), kOk);
  ASSERT_EQ(pool.Put("nobody", "l", 1000), kOk);
  EXPECT_EQ(pool.Get("l").extents(0).segment(), "b");
}

TEST(MasterPut, StaysOnTheWritersHostIfToldTo) {
  Pool pool({.allocation_strategy = AllocationStrategy::kLocalFirst});
  for (const auto& [name, host] : std::map<std::string, std::string>{
           {"far 1", "h2"}, {"far 2", "h2"}, {"near", "h1"}, {"own", "h1"}}) {
    proto::MountSegmentRequest request;
    request.set_client_id(name);
    request.mutable_segment()->set_name(name);
    request.mutable_segment()->set_size(1000);
    request.mutable_segment()->set_host_identity(host);
    request.set_exact(false);
    request.set_host_budget(kMegabyte);
    ASSERT_EQ(pool.master.MountSegment(request).code(), kOk);
  }
  const auto segment_for = [&](const std::string& writer, const std::string& key, uint64_t size) {
    proto::PutStartRequest request;
    request.set_client_id(writer);
    request.set_host_identity("h1");
    request.add_keys(key);
    request.add_sizes(size);
    return pool.master.PutStart(request).results(0).extents(0).segment();
  };
  EXPECT_EQ(segment_for("own", "fills its own", 950), "own");
  EXPECT_EQ(segment_for("lends nothing", "k", 900), "near");
  EXPECT_THAT(segment_for("own", "l", 900), testing::StartsWith("far"));
}

TEST(MasterPut, GoesAnywhereAtRandomByDefault) {
  Pool pool;
  for (const char* name : {"a", "b", "c"}) pool.Mount(name, kMegabyte);
  std::set<std::string> used;
  for (int i = 0; i < 100; ++i) {
    used.insert(pool.Start("nobody", std::to_string(i), 100).extents(0).segment());
  }
  EXPECT_EQ(used.size(), 3u);
}

TEST(MasterPut, PutsReplicasOnDistinctSegmentsAsFarAsThereAreAny) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Mount("b", 1 << 20);
  ASSERT_EQ(pool.Put("a", "k", 1000, Replicas(3)), kOk);
  const auto found = pool.Get("k");
  std::set<std::string> segments;
  for (const auto& extent : found.extents()) segments.insert(extent.segment());
  EXPECT_THAT(segments, ElementsAre("a", "b"));
}

TEST(MasterPut, PublishesTheReplicasThatWereWritten) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Mount("b", 1 << 20);
  auto started = pool.Start("a", "k", 1000, Replicas(2));
  ASSERT_EQ(started.extents_size(), 2);
  started.mutable_extents()->RemoveLast();
  ASSERT_EQ(pool.End("a", "k", started), kOk);
  EXPECT_EQ(pool.Get("k").extents_size(), 1);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 1024u);
}

TEST(MasterPut, IsTakenOverAfterAWhileAndKeepsItsSpaceUntilItEnds) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto first = pool.Start("a", "k", 1024);
  pool.clock.Advance(seconds(30));
  const auto second = pool.Start("b", "k", 1024);
  ASSERT_EQ(second.code(), kOk);
  EXPECT_GT(second.extents(0).generation(), first.extents(0).generation());
  EXPECT_NE(second.extents(0).offset(), first.extents(0).offset());
  EXPECT_EQ(pool.master.usage().allocated_bytes, 2048u);

  EXPECT_EQ(pool.End("b", "k", second), kOk);
  EXPECT_EQ(pool.End("a", "k", first), kObjectExists);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 1024u);
  EXPECT_EQ(pool.Get("k").extents(0).generation(), second.extents(0).generation());
}

TEST(MasterPut, ThatWasTakenOverFindsItsSuccessorUnfinished) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto first = pool.Start("a", "k", 1024);
  pool.clock.Advance(seconds(30));
  const auto second = pool.Start("a", "k", 1024);
  EXPECT_EQ(pool.End("a", "k", first), kReplicaNotReady);
  EXPECT_EQ(pool.End("a", "k", second), kOk);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 1024u);
}

TEST(MasterPut, ThatNeverEndsIsFreedInTheEnd) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto discarded = pool.Start("b", "k", 1024);
  pool.Pass(seconds(30), {"a"});
  const auto lasting = pool.Start("b", "k", 1024);
  ASSERT_EQ(lasting.code(), kOk);
  pool.Pass(seconds(569), {"a"});
  EXPECT_EQ(pool.master.usage().allocated_bytes, 2048u);
  pool.Pass(seconds(1), {"a"});
  EXPECT_EQ(pool.master.usage().allocated_bytes, 1024u);
  pool.Pass(seconds(30), {"a"});
  EXPECT_EQ(pool.master.usage().allocated_bytes, 0u);
  EXPECT_EQ(pool.End("b", "k", lasting), kObjectNotFound);
}

TEST(MasterRemove, RespectsALeaseUnlessForced) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "k", 1000);
  pool.Get("k");
  EXPECT_EQ(pool.Remove("k"), kObjectHasLease);
  pool.clock.Advance(seconds(10) - milliseconds(1));
  EXPECT_EQ(pool.Remove("k"), kObjectHasLease);
  pool.clock.Advance(milliseconds(1));
  EXPECT_EQ(pool.Remove("k"), kOk);
  EXPECT_EQ(pool.Remove("k"), kObjectNotFound);

  pool.Put("a", "l", 1000);
  pool.Get("l");
  EXPECT_EQ(pool.Remove("l", true), kOk);
  EXPECT_EQ(pool.Get("l").code(), kObjectNotFound);
}

TEST(MasterRemove, GivesTheSpaceToOthersOnceNoReaderHoldsIt) {
  Pool pool;
  pool.Mount("a", 4096);
  pool.Put("a", "k", 2048);
  const uint64_t generation = pool.Get("k").extents(0).generation();
  EXPECT_EQ(pool.Remove("k", true), kOk);
  proto::ReplicateConfig pinned;
  pinned.set_hard_pin(true);
  EXPECT_EQ(pool.Put("a", "beside it", 2048, pinned), kOk);
  EXPECT_EQ(pool.Put("a", "in its place", 2048), kNoSpace);
  // The owner has forgotten it, but a reader has it mapped.
  const uint64_t removed = pool.Ping("a").sequence();
  pool.Ping("a", removed, {generation});
  EXPECT_EQ(pool.Put("a", "in its place", 2048), kNoSpace);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 4096u);
  pool.Ping("a", removed);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 2048u);
  EXPECT_EQ(pool.Put("a", "in its place", 2048), kOk);
}

TEST(MasterRemove, IsAMissForNobodyWhileOthersMayStillReadIt) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "k", 1000);
  pool.Get("k");  // and whoever asked may remember its place
  EXPECT_EQ(pool.Remove("k", true), kOk);
  std::atomic<bool> forgotten = false;
  const auto asked_after = [&](auto ask) {
    return std::async(std::launch::async, [&forgotten, ask] {
      ask();
      return forgotten.load();
    });
  };
  auto put = asked_after([&] { EXPECT_EQ(pool.Put("a", "k", 2000), kOk); });
  const uint64_t removed = pool.Ping("a").sequence();
  forgotten = true;
  pool.Ping("a", removed);
  EXPECT_TRUE(put.get());
}

TEST(MasterRemove, OfAllWaitsForWhatAnotherIsRemovingAndOthersMayStillRead) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "k", 1000);
  pool.Get("k");
  ASSERT_EQ(pool.Remove("k", true), kOk);
  proto::RemoveAllRequest all;
  all.set_force(true);
  const proto::RemoveManyResponse removed = pool.master.RemoveAll(all);
  EXPECT_EQ(removed.removed(), 0);
  ASSERT_EQ(removed.pending_size(), 1);
  EXPECT_EQ(removed.pending(0).client_id(), "a");
  pool.Ping("a", pool.Ping("a").sequence());
  EXPECT_EQ(pool.master.RemoveAll(all).pending_size(), 0);
}

TEST(MasterRemove, LeavesAPutAlone) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  const auto started = pool.Start("a", "k", 1000);
  EXPECT_EQ(pool.Remove("k", true), kReplicaNotReady);
  EXPECT_EQ(pool.End("a", "k", started), kOk);
}

TEST(MasterRemove, LookingWithoutALeaseGrantsNone) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "k", 1000);
  EXPECT_TRUE(pool.Exists("k"));
  EXPECT_EQ(pool.Remove("k"), kOk);
}

TEST(MasterRemove, AskingForExistenceGrantsALease) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Put("a", "k", 1000);
  pool.Start("a", "unfinished", 1000);
  proto::KeysRequest request;
  for (const char* key : {"k", "none", "unfinished"}) request.add_keys(key);
  EXPECT_THAT(pool.master.Exist(request).exists(), ElementsAre(1, 0, 0));
  EXPECT_EQ(pool.Remove("k"), kObjectHasLease);
}

TEST(MasterRemove, MatchesARegexAnywhereInTheKey) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  for (const char* key : {"model@1@x", "model@2@x", "other@1"}) pool.Put("a", key, 100);
  pool.Get("model@2@x");
  proto::RemoveByRegexRequest request;
  request.set_pattern("^model@[12]@");
  EXPECT_EQ(pool.master.RemoveByRegex(request).removed(), 1);
  request.set_force(true);
  EXPECT_EQ(pool.master.RemoveByRegex(request).removed(), 1);
  EXPECT_THAT(pool.Keys(), ElementsAre("other@1"));
  request.set_pattern("[");
  EXPECT_EQ(pool.master.RemoveByRegex(request).code(), kInvalidParams);
}

TEST(MasterRemove, RemovesAllThatHasNoLease) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  for (const char* key : {"x", "y", "z"}) pool.Put("a", key, 100);
  pool.Get("y");
  EXPECT_EQ(pool.master.RemoveAll({}).removed(), 2);
  EXPECT_THAT(pool.Keys(), ElementsAre("y"));
}

TEST(MasterList, ListsByPrefixAfterAKeyUpToALimit) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  for (const char* key : {"b3", "a1", "b1", "b4", "b2", "c"}) pool.Put("a", key, 100);
  proto::ListKeysRequest request;
  request.set_prefix("b");
  EXPECT_THAT(pool.master.ListKeys(request).keys(), ElementsAre("b1", "b2", "b3", "b4"));
  request.set_after("b1");
  request.set_limit(2);
  EXPECT_THAT(pool.master.ListKeys(request).keys(), ElementsAre("b2", "b3"));
}

TEST(MasterLose, RemovesTheReplicaOfThatGeneration) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.Mount("b", 1 << 20);
  pool.Put("a", "k", 1000, Replicas(2));
  const auto found = pool.Get("k");
  auto older = found.extents(0);
  older.set_generation(older.generation() - 1);
  EXPECT_EQ(pool.Lose("k", older), kObjectNotFound);
  EXPECT_EQ(pool.Lose("other", found.extents(0)), kObjectNotFound);
  EXPECT_EQ(pool.Lose("k", found.extents(0)), kOk);
  EXPECT_EQ(pool.Get("k").extents_size(), 1);
  EXPECT_EQ(pool.Lose("k", found.extents(1)), kOk);
  EXPECT_EQ(pool.Get("k").code(), kObjectNotFound);
  EXPECT_EQ(pool.master.usage().allocated_bytes, 0u);
}

}  // namespace
}  // namespace tandem::store
