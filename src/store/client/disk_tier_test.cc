#include "store/client/disk_tier.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/hash.h"
#include "store/client/testing/member.h"
#include "store/disk/testing/faulty_io.h"
#include "store/disk/testing/temporary_directory.h"

namespace tandem::store {
namespace {

using std::chrono::seconds;
using testing::Eventually;
using testing::In;
using testing::RandomBytes;

constexpr size_t kSize = 5000;

/// A disk whose objects are named by their generation.
class DiskTierTest : public ::testing::Test {
 protected:
  void Open(const std::string& host = "host") { ASSERT_TRUE(OpenWithRoom(0, host)); }
  /// Whether it could be; 0 is half of what is free.
  bool OpenWithRoom(uint64_t capacity, const std::string& host = "host") {
    tier_.reset();
    tier_ = MakeTier(host);
    proto::Offload where = Where(directory_.path());
    where.set_capacity_bytes(capacity);
    tier_->Open(where);
    return tier_->AwaitOpen(In(seconds(20)));
  }
  std::unique_ptr<DiskTier> MakeTier(const std::string& host) {
    return std::make_unique<DiskTier>(
        host,
        [this] {
          auto io = std::make_unique<testing::FaultyIo>();
          io_ = io.get();
          return io;
        },
        metrics_);
  }
  static proto::Offload Where(const std::string& directory) {
    proto::Offload where;
    where.set_directory(directory);
    where.set_cluster_id("cluster");
    return where;
  }

  static StoredObject Object(uint64_t generation) {
    return {"key " + std::to_string(generation), generation, kSize,
            Checksum64(RandomBytes(kSize, generation)), false};
  }
  DiskTier::Stored Store(const std::vector<uint64_t>& generations) {
    std::vector<StoredObject> objects;
    for (const uint64_t generation : generations) objects.push_back(Object(generation));
    return tier_->Store(objects, [&](size_t i) { return Bytes(generations[i]); });
  }
  static absl::StatusOr<transfer::ReadableBytes> Bytes(uint64_t generation) {
    auto bytes = std::make_shared<std::vector<std::byte>>(RandomBytes(kSize, generation));
    return transfer::ReadableBytes{*bytes, bytes};
  }
  absl::Status Remove(const std::vector<uint64_t>& generations) {
    return tier_->Remove(generations, In(seconds(20)));
  }
  absl::StatusOr<std::vector<std::byte>> Read(uint64_t generation) {
    const auto reader = tier_->OpenForRead({0, kSize, generation});
    if (!reader.ok()) return reader.status();
    auto bytes = std::make_shared<std::vector<std::byte>>(kSize);
    std::promise<absl::Status> read;
    (*reader)(0, {*bytes, bytes}, [&read](absl::Status status) { read.set_value(status); });
    const absl::Status status = read.get_future().get();
    if (!status.ok()) return status;
    return *bytes;
  }
  bool Gives(uint64_t generation) {
    const auto bytes = Read(generation);
    return bytes.ok() && *bytes == RandomBytes(kSize, generation);
  }

  /// What a later process finds noted.
  HeardThrough HeardLater() {
    Open();
    return tier_->heard_through();
  }

  const testing::TemporaryDirectory directory_;
  MetricRegistry metrics_;
  testing::FaultyIo* io_ = nullptr;
  std::unique_ptr<DiskTier> tier_;
};

TEST_F(DiskTierTest, ADiskThatIsFullByNowStillGivesWhatIsThere) {
  EXPECT_FALSE(OpenWithRoom(1000, "another host"));
  Open();
  ASSERT_EQ(Store({1}).stored, (std::vector<uint64_t>{1}));
  ASSERT_TRUE(OpenWithRoom(1000));
  EXPECT_TRUE(Gives(1));
  EXPECT_TRUE(Store({2}).stored.empty());
  EXPECT_TRUE(Remove({1}).ok());
  EXPECT_TRUE(OpenWithRoom(1000)) << "the master may wait to hear that it is empty";
}

TEST_F(DiskTierTest, GivesBackWhatItStoredAlsoToALaterProcess) {
  Open();
  EXPECT_EQ(Store({1, 2}).stored, (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(Gives(1) && Gives(2));
  EXPECT_TRUE(absl::IsNotFound(Read(3).status()));
  EXPECT_TRUE(absl::IsNotFound(tier_->OpenForRead({0, kSize - 1, 1}).status()));
  const std::string id = tier_->id();
  Open();
  EXPECT_EQ(tier_->id(), id);
  EXPECT_EQ(tier_->Objects().size(), 2u);
  EXPECT_TRUE(Gives(1) && Gives(2));
}

TEST_F(DiskTierTest, HoldsNothingBeforeItIsOpened) {
  tier_ = MakeTier("host");
  EXPECT_FALSE(tier_->is_open());
  EXPECT_TRUE(Store({1}).stored.empty());
  EXPECT_TRUE(Remove({1}).ok());
  EXPECT_TRUE(absl::IsNotFound(Read(1).status()));
  EXPECT_TRUE(tier_->Objects().empty());
  EXPECT_EQ(tier_->id(), "");
}

TEST_F(DiskTierTest, EachProcessHasADirectoryOfItsOwn) {
  Open();
  Store({1});
  const auto other = MakeTier("host");
  other->Open(Where(directory_.path()));
  ASSERT_TRUE(other->AwaitOpen(In(seconds(20))));
  EXPECT_NE(other->id(), tier_->id());
  EXPECT_TRUE(other->Objects().empty());
}

TEST_F(DiskTierTest, ADirectoryThatCannotBeUsedIsCounted) {
  tier_ = MakeTier("host");
  tier_->Open(Where("/proc/nowhere"));
  EXPECT_FALSE(tier_->AwaitOpen(In(seconds(20))));
  EXPECT_TRUE(tier_->unusable());
  EXPECT_NE(RenderMetrics(metrics_).find("tandem:store_disk_unusable_total 1"), std::string::npos);
}

TEST_F(DiskTierTest, NothingRemovedComesBack) {
  Open();
  Store({1, 2, 3});
  EXPECT_TRUE(Remove({2, 9}).ok());
  EXPECT_TRUE(absl::IsNotFound(Read(2).status()));
  Open();
  EXPECT_TRUE(Gives(1) && Gives(3));
  EXPECT_FALSE(tier_->Holds(2));
}

TEST_F(DiskTierTest, WhatIsRemovedWhileItIsStoredIsNotThere) {
  Open();
  const std::vector<StoredObject> objects = {Object(1), Object(2)};
  const auto stored = tier_->Store(objects, [&](size_t i) {
    // Between the memory's being opened and the disk's being written.
    if (i == 1) {
      EXPECT_TRUE(Remove({1}).ok());
    }
    return Bytes(objects[i].generation);
  });
  EXPECT_EQ(stored.stored, std::vector<uint64_t>{2});
  EXPECT_FALSE(tier_->Holds(1));
  Open();
  EXPECT_FALSE(tier_->Holds(1));
  EXPECT_TRUE(Gives(2));
}

TEST_F(DiskTierTest, LeavesOutWhatCannotBeOpened) {
  Open();
  const std::vector<StoredObject> objects = {Object(1), Object(2)};
  const auto stored =
      tier_->Store(objects, [&](size_t i) -> absl::StatusOr<transfer::ReadableBytes> {
        if (i == 0) return absl::NotFoundError("forgotten");
        return Bytes(2);
      });
  EXPECT_EQ(stored.stored, std::vector<uint64_t>{2});
}

TEST_F(DiskTierTest, ARemovalThatFailedIsMadeUpFor) {
  Open();
  Store({1, 2});
  io_->FailWrites(absl::UnknownError("EIO"));
  EXPECT_FALSE(Remove({1}).ok());
  EXPECT_FALSE(Remove({1}).ok());  // though it cannot be read any more
  io_->FailWrites(absl::OkStatus());
  EXPECT_TRUE(Remove({1}).ok());
  Open();
  EXPECT_FALSE(tier_->Holds(1));
  EXPECT_TRUE(Gives(2));
}

TEST_F(DiskTierTest, AFailingDiskStoresNothingAndIsCounted) {
  Open();
  io_->FailWrites(absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_TRUE(Store({1, 2}).stored.empty());
  io_->FailWrites(absl::OkStatus());
  EXPECT_EQ(Store({3}).stored.size(), 1u);
  io_->FailReads(absl::UnknownError("EIO"));
  EXPECT_TRUE(absl::IsDataLoss(Read(3).status()));
  const std::string metrics = RenderMetrics(metrics_);
  EXPECT_NE(metrics.find("tandem:store_disk_failed_writes_total 2"), std::string::npos);
  EXPECT_NE(metrics.find("tandem:store_disk_failed_reads_total 1"), std::string::npos);
}

TEST_F(DiskTierTest, ALaterProcessKnowsWhatWasHeard) {
  Open();
  EXPECT_EQ(tier_->heard_through(), HeardThrough{});
  Store({1});
  tier_->NoteHeardThrough({7, "life"});
  EXPECT_EQ(HeardLater(), (HeardThrough{7, "life"}));
  tier_->NoteHeardThrough({8, "life"});
  EXPECT_EQ(HeardLater(), (HeardThrough{8, "life"}));
  // Another life of the master may count from below.
  tier_->NoteHeardThrough({2, "another"});
  EXPECT_EQ(HeardLater(), (HeardThrough{2, "another"}));
}

TEST_F(DiskTierTest, NotesNothingWhileARemovalMayComeBack) {
  Open();
  Store({1, 2});
  tier_->NoteHeardThrough({7, "life"});
  ASSERT_EQ(HeardLater().generation, 7u);
  io_->FailSyncs(absl::UnknownError("EIO"));
  EXPECT_FALSE(Remove({1}).ok());
  tier_->NoteHeardThrough({8, "life"});
  ASSERT_EQ(HeardLater().generation, 7u);
  // This one does not know whether its mark is synced, but has it done.
  tier_->NoteHeardThrough({9, "life"});
  EXPECT_EQ(HeardLater().generation, 9u);
  EXPECT_FALSE(tier_->Holds(1));
}

TEST_F(DiskTierTest, NotesNothingOfADiskThatMayHaveARecordMore) {
  Open();
  Store({1});
  io_->FailWritesAfter(1, absl::UnknownError("EIO"));
  EXPECT_TRUE(Store({2}).stored.empty());  // its head may be there
  io_->FailWritesAfter(-1, absl::OkStatus());
  tier_->NoteHeardThrough({7, "life"});
  EXPECT_EQ(HeardLater(), HeardThrough{});
}

TEST_F(DiskTierTest, NotesOnlyWhatMattersAndNotOftenerThanOnceASecond) {
  Open();
  tier_->NoteHeardThrough({6, "life"});  // of no objects
  EXPECT_EQ(HeardLater(), HeardThrough{});
  Store({1});
  tier_->NoteHeardThrough({7, "life"});
  tier_->NoteHeardThrough({8, "life"});
  EXPECT_EQ(HeardLater().generation, 7u);
  tier_->NoteHeardThrough({8, "life"});
  EXPECT_TRUE(Eventually([&] {
    tier_->NoteHeardThrough({9, "life"});
    return tier_->heard_through().generation == 9;
  }));
}

TEST_F(DiskTierTest, WhatWasHeardIsNothingOnceItsFileIsDamaged) {
  Open();
  Store({1});
  tier_->NoteHeardThrough({7, "life"});
  ASSERT_EQ(HeardLater().generation, 7u);
  tier_.reset();
  std::filesystem::resize_file(directory_.path() + "/cluster-host-0/heard", 20);
  EXPECT_EQ(HeardLater(), HeardThrough{});
  EXPECT_TRUE(Gives(1));
}

}  // namespace
}  // namespace tandem::store
