#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "store/master/snapshot_store.h"
#include "store/master/snapshot_writer.h"
#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kMegabyte = 1 << 20;

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest()
      : directory_(testing::TempDir() + "snapshot-" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(directory_);
  }
  ~SnapshotTest() override { fs::remove_all(directory_); }

  std::unique_ptr<SnapshotStore> Open() {
    auto store = SnapshotStore::Open(directory_, "c");
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  const std::string directory_;
};

proto::Tombstone Buried(uint64_t hash, uint64_t generation) {
  proto::Tombstone tombstone;
  tombstone.set_key_hash(hash);
  tombstone.set_generation(generation);
  return tombstone;
}

TEST_F(SnapshotTest, ComesBackWithWhatWasRemovedSince) {
  {
    const auto store = Open();
    EXPECT_TRUE(absl::IsNotFound(store->Load().status()));
    proto::Snapshot snapshot;
    snapshot.set_next_generation(7);
    snapshot.set_journal(*store->BeginJournal());
    ASSERT_TRUE(store->Save(snapshot).ok());
    store->Append({Buried(1, 2), Buried(3, 4)});
  }
  {
    const auto store = Open();
    store->Append({Buried(5, 6)});
  }
  const auto loaded = Open()->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->next_generation(), 7u);
  ASSERT_EQ(loaded->tombstones_size(), 3);
  EXPECT_EQ(loaded->tombstones(2).key_hash(), 5u);
}

TEST_F(SnapshotTest, LeavesOlderJournalsOut) {
  const auto store = Open();
  store->Append({Buried(1, 2)});
  proto::Snapshot snapshot;
  snapshot.set_journal(*store->BeginJournal());
  ASSERT_TRUE(store->Save(snapshot).ok());
  EXPECT_EQ(store->Load()->tombstones_size(), 0);
  EXPECT_THAT(Files(), UnorderedElementsAre("c.snapshot", "c.removals.2"));
}

TEST_F(SnapshotTest, ThatIsDamagedIsAsGoodAsNone) {
  const auto store = Open();
  proto::Snapshot snapshot;
  snapshot.set_journal(*store->BeginJournal());
  ASSERT_TRUE(store->Save(snapshot).ok());
  store->Append({Buried(1, 2)});
  const std::string journal = directory_ + "/c.removals.2";
  // A record whose writing the machine's end cut short was never answered.
  fs::resize_file(journal, fs::file_size(journal) - 1);
  EXPECT_EQ(store->Load()->tombstones_size(), 0);
  std::ofstream(journal, std::ios::app) << std::string(24, 'x');
  EXPECT_TRUE(absl::IsDataLoss(store->Load().status()));
  fs::remove(journal);
  std::ofstream(directory_ + "/c.snapshot", std::ios::app) << "x";
  EXPECT_TRUE(absl::IsDataLoss(store->Load().status()));
  std::ofstream(directory_ + "/c.snapshot") << "x";
  EXPECT_TRUE(absl::IsDataLoss(store->Load().status()));
}

TEST_F(SnapshotTest, NamesADirectoryThatCannotBeHad) {
  fs::create_directories(fs::path(directory_).parent_path());
  std::ofstream(directory_) << "a file";
  const auto store = SnapshotStore::Open(directory_, "c");
  EXPECT_THAT(std::string(store.status().message()), HasSubstr(directory_));
}

/// A master with a log, and a later life of it.
class RestoreTest : public SnapshotTest {
 protected:
  RestoreTest() {
    pool_.Mount("a", kMegabyte);
    for (const char* key : {"kept", "removed", "evicted"}) pool_.Put("a", key, 1000);
  }

  /// Saves a snapshot of a master in which the same happened, with the log attached.
  void Save() { ASSERT_TRUE(SnapshotWriter::Save(pool_.master, *store_).ok()); }
  void Restore() {
    const auto snapshot = Open()->Load();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    later_.master.Restore(*snapshot);
  }

  std::unique_ptr<SnapshotStore> store_ = Open();
  Pool pool_{{.first_generation = 1000}, store_.get()};
  Pool later_{{.first_generation = 1'000'000}};
};

TEST_F(RestoreTest, ServesAtOnceWhatWasNotRemoved) {
  Save();
  const auto before = pool_.Get("kept", true);
  ASSERT_EQ(pool_.Remove("removed"), kOk);
  Restore();
  EXPECT_EQ(later_.Get("kept").SerializeAsString(), before.SerializeAsString());
  EXPECT_THAT(later_.Keys(), ElementsAre("evicted", "kept"));
  EXPECT_EQ(later_.Remove("kept", true), kOk);
  EXPECT_EQ(later_.Start("a", "new", 100).code(), kNoSpace);  // before the owner has spoken
}

TEST_F(RestoreTest, LeavesTheLastWordToTheOwner) {
  const auto kept = Held("kept", pool_.Get("kept", true));
  auto newer = Held("evicted", pool_.Get("evicted", true));
  Save();
  Restore();
  // Since the snapshot, one object has gone and another has taken its place.
  newer.set_key("newer");
  newer.mutable_extent()->set_generation(2000);
  EXPECT_EQ(later_.Mount("a", kMegabyte, true).code(), kOk);
  EXPECT_THAT(later_.Register("a", {newer, kept}), IsEmpty());
  EXPECT_THAT(later_.Keys(), ElementsAre("kept", "newer"));
  EXPECT_EQ(later_.Ping("a").removed_size(), 0);
  EXPECT_EQ(later_.master.usage().allocated_bytes, 2 * 1024u);
  EXPECT_EQ(later_.Put("a", "put", 1000), kOk);
}

TEST_F(RestoreTest, CallsNothingAMissBeforeTheOwnersOfTheSnapshotAreBack) {
  Save();
  pool_.Put("a", "later", 1000);
  const auto later_one = Held("later", pool_.Get("later", true));
  Pool restarted{{.first_generation = 1'000'000, .recovery_time = std::chrono::milliseconds(1)}};
  restarted.master.Restore(*Open()->Load());
  std::future<int> got =
      std::async(std::launch::async, [&] { return restarted.Get("later").code(); });
  restarted.Mount("a", kMegabyte, true);
  EXPECT_THAT(restarted.Register("a", {later_one}), IsEmpty());
  EXPECT_EQ(got.get(), kOk);
}

TEST_F(RestoreTest, CallsItAMissOnceAnOwnerHasBeenAwayForItsTimeToLive) {
  Save();
  Pool restarted{{.first_generation = 1'000'000, .recovery_time = std::chrono::milliseconds(1)}};
  restarted.master.Restore(*Open()->Load());
  std::future<int> got =
      std::async(std::launch::async, [&] { return restarted.Get("none").code(); });
  restarted.Pass(std::chrono::seconds(11));
  EXPECT_EQ(got.get(), kObjectNotFound);
  EXPECT_TRUE(restarted.Keys().empty());
}

TEST_F(RestoreTest, AnswersMembersOfAnEarlierLifeAtOnce) {
  proto::PingRequest ping;
  ping.set_client_id("a");
  ping.set_epoch(pool_.Ping("a").epoch());
  ping.set_wait_milliseconds(60'000);
  Save();
  Restore();
  const TimePoint give_up = Clock::Real().Now() + std::chrono::seconds(1);
  const proto::PingResponse told = later_.master.Ping(ping);
  // A quarter of client_ttl, 2.5 s, is what it would have waited for a removal.
  EXPECT_LT(Clock::Real().Now(), give_up);
  EXPECT_NE(told.epoch(), ping.epoch());
}

TEST_F(RestoreTest, ForgetsOwnersThatDoNotComeBack) {
  Save();
  Restore();
  later_.Pass(std::chrono::seconds(11));
  EXPECT_THAT(later_.Keys(), IsEmpty());
  EXPECT_EQ(later_.master.usage().capacity_bytes, 0u);
}

TEST_F(RestoreTest, KeepsWhatWasRemovedFromComingBackWithAnOwnerWhoWasAway) {
  const auto removed = Held("removed", pool_.Get("removed", true));
  pool_.Pass(std::chrono::seconds(10));
  EXPECT_EQ(pool_.Remove("removed"), kObjectNotFound);
  Save();
  Restore();
  later_.Mount("a", kMegabyte, true);
  EXPECT_THAT(later_.Register("a", {removed}), ElementsAre("removed"));
}

TEST_F(RestoreTest, KeepsOutWhatMayHaveBeenRemovedLongBeforeTheSnapshot) {
  Pool pool{{.first_generation = 1000, .tombstones = 1}, store_.get()};
  pool.Mount("a", kMegabyte);
  pool.Put("a", "removed", 1000);
  const auto removed = Held("removed", pool.Get("removed", true));
  const proto::PingResponse heard = pool.Ping("a");
  pool.Pass(std::chrono::seconds(11));
  for (const char* key : {"removed", "none"}) EXPECT_EQ(pool.Remove(key), kObjectNotFound);
  proto::PingResponse heard_all = heard;
  heard_all.set_heard_through(pool.master.TakeSnapshot().next_generation());
  ASSERT_TRUE(SnapshotWriter::Save(pool.master, *store_).ok());
  Restore();
  later_.Mount("a", kMegabyte, true);
  EXPECT_THAT(later_.Register("a", {removed}, true, heard), ElementsAre("removed"));
  EXPECT_THAT(later_.Register("a", {removed}, true, heard_all), IsEmpty());
}

TEST_F(SnapshotTest, IsSavedAtIntervalsAndAtTheEnd) {
  const auto store = Open();
  Pool pool({}, store.get());
  pool.Mount("a", kMegabyte);
  {
    const SnapshotWriter writer(pool.master, *store, std::chrono::milliseconds(1));
    const TimePoint give_up = Clock::Real().Now() + std::chrono::seconds(20);
    while (!store->Load().ok()) ASSERT_LT(Clock::Real().Now(), give_up);
    pool.Put("a", "late", 100);
  }
  const auto last = store->Load();
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_EQ(last->objects_size(), 1);
  EXPECT_EQ(last->objects(0).key(), "late");
}

}  // namespace
}  // namespace tandem::store
