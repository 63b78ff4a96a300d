// Members, a master and disks together: objects that go to disk, come back and are removed.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/test_certificates.h"
#include "store/client/testing/offloaded.h"

namespace tandem::store {
namespace {

using std::chrono::seconds;
using testing::Eventually;
using testing::In;
using testing::Key;
using testing::kInMemory;
using testing::kObject;
using testing::kSegment;
using testing::Member;
using testing::OffloadedTest;
using testing::RandomBytes;
using testing::UnmountOnlySegment;
using testing::Value;

TEST_F(OffloadedTest, MoreThanMemoryHoldsIsReadBack) {
  StartMaster();
  const auto owner = MakeOwner();
  Member neighbour(*master_, 0), far(*master_, 0, "host-b");
  Put(*owner, 80);
  EXPECT_TRUE(IsOnDiskAlone(Key(0)));
  EXPECT_FALSE(IsOnDiskAlone(Key(79)));
  for (int i = 0; i < 80; ++i) {
    const auto value = Value(i);
    EXPECT_TRUE(owner->Holds(Key(i), value)) << i;
    EXPECT_TRUE(neighbour.Holds(Key(i), value)) << i;
    EXPECT_TRUE(far.Holds(Key(i), value)) << i;
  }
  for (Member* reader : {owner.get(), &neighbour, &far}) {
    EXPECT_GE((*reader)->counters().disk_read_bytes, 40 * kObject);
    EXPECT_EQ((*reader)->counters().disk_misses, 0u);
    EXPECT_EQ((*reader)->counters().unanswered_reads, 0u);
  }
}

TEST_F(OffloadedTest, IsReadOverTlsAsWell) {
  const TestCertificates certificates;
  const Security security{true, certificates.files(), *BearerToken::Of("word")};
  StartMaster();
  const auto owner = MakeOwner(security);
  Member far(*master_, 0, "host-b", seconds(10), false, security);
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  EXPECT_TRUE(far.Holds(Key(0), Value(0)));
  EXPECT_EQ(far->counters().disk_read_bytes, kObject);
}

TEST_F(OffloadedTest, AnOwnerThatComesBackBringsItsDisk) {
  StartMaster();
  auto owner = MakeOwner();
  Member reader(*master_, 0);
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  owner.reset();
  EXPECT_EQ(reader.Find(Key(0)), kObjectNotFound);
  const auto successor = MakeOwner();
  EXPECT_TRUE(Eventually([&] { return reader.Holds(Key(0), Value(0)); }));
  EXPECT_EQ(reader.Find(Key(39)), kObjectNotFound);  // which was in memory alone
  // What stands there is not written over.
  EXPECT_EQ(successor->Put(Key(0), Value(1)), kObjectExists);
}

TEST_F(OffloadedTest, WhatWasPutElsewhereMeanwhileStays) {
  StartMaster();
  auto owner = MakeOwner();
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  owner.reset();
  Member other(*master_, kSegment);
  const auto again = RandomBytes(1000, 77);
  ASSERT_EQ(other.Put(Key(0), again), kOk);
  const auto successor = MakeOwner();
  EXPECT_TRUE(Eventually([&] { return other.Holds(Key(1), Value(1)); }));
  EXPECT_TRUE(other.Holds(Key(0), again));
  EXPECT_TRUE(successor->Holds(Key(0), again));
}

TEST_F(OffloadedTest, AMasterThatLostItsMemoryIsToldOfTheDisk) {
  StartMaster();
  const auto owner = MakeOwner();
  Put(*owner, 40);
  master_->Restart();
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(Eventually([&] { return owner->Find(Key(i)) == kObject; })) << i;
    EXPECT_TRUE(owner->Holds(Key(i), Value(i))) << i;
  }
  // And goes on.
  for (int i = 40; i < 60; ++i) ASSERT_EQ(owner->Put(Key(i), Value(i)), kOk);
  EXPECT_TRUE(Eventually([&] { return owner->Holds(Key(41), Value(41)); }));
}

TEST_F(OffloadedTest, NothingRemovedComesBackFromDisk) {
  StartMaster();
  auto owner = MakeOwner();
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  EXPECT_EQ(Remove(*owner, Key(0)), kOk);
  for (const StoredObject& object : (*owner)->OnDisk()) EXPECT_NE(object.key, Key(0));
  owner.reset();
  master_->Restart();
  const auto successor = MakeOwner();
  EXPECT_TRUE(Eventually([&] { return successor->Holds(Key(1), Value(1)); }));
  EXPECT_EQ(successor->Find(Key(0)), kObjectNotFound);
  EXPECT_GT((*successor)->RemoveAll(true, In(seconds(20))), 5);
  EXPECT_TRUE((*successor)->OnDisk().empty());
}

TEST_F(OffloadedTest, WhatIsRefusedWhileItIsWrittenDoesNotStayOnDisk) {
  StartMaster();
  const auto owner = MakeOwner();
  Member reader(*master_, 0);
  ASSERT_TRUE(Eventually([&] { return io_ != nullptr; }));
  io_.load()->HoldWrites();
  for (int i = 0; i < kInMemory + 1; ++i) ASSERT_EQ(owner->Put(Key(i), Value(i)), kOk) << i;
  ASSERT_TRUE(Eventually([&] { return io_.load()->held_writes() > 0; }));
  // The owner hears of the removal only with what it registers, and does not report the disk.
  constexpr int kForNow = 1'000'000;
  master_->FailNext("Offload", kForNow);
  master_->FailNext("MountSegment", kForNow);
  UnmountOnlySegment(*master_);
  ASSERT_EQ(Remove(reader, Key(0)), kObjectNotFound);
  master_->FailNext("MountSegment", 0);
  ASSERT_TRUE(Eventually([&] { return reader.Find(Key(1)) == kObject; }));
  io_.load()->LetWritesThrough();
  ASSERT_TRUE(Eventually([&] {
    return RenderMetrics(owner->registry()).find("store_disk_written_bytes_total 0") ==
           std::string::npos;
  }));
  EXPECT_TRUE(Eventually([&] { return !HasOnDisk(*owner, Key(0)); }));
}

TEST_F(OffloadedTest, ARemovalIsConfirmedOnlyOnceItIsOffTheDisk) {
  StartMaster();
  auto owner = MakeOwner();
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  io_.load()->FailWrites(absl::UnknownError("EIO"));
  EXPECT_EQ(Remove(*owner, Key(0), seconds(1)), kRpcFailed);
  EXPECT_EQ(Remove(*owner, Key(0), seconds(1)), kRpcFailed);
  EXPECT_EQ(owner->Find(Key(0)), kObjectNotFound);
  io_.load()->FailWrites(absl::OkStatus());
  EXPECT_EQ(Remove(*owner, Key(0)), kObjectNotFound);
}

TEST_F(OffloadedTest, AFailingDiskIsACountedMiss) {
  StartMaster();
  const auto owner = MakeOwner();
  Member far(*master_, 0, "host-b");
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)) && IsOnDiskAlone(Key(1)));
  io_.load()->FailReads(absl::UnknownError("EIO"));
  for (Member* reader : {owner.get(), &far}) {
    const std::string key = Key(reader == &far ? 1 : 0);
    ErrorCode code = kOk;
    EXPECT_EQ(reader->Read(key, &code), nullptr);
    EXPECT_EQ(code, kObjectNotFound);
    EXPECT_EQ((*reader)->counters().disk_misses, 1u);
    EXPECT_EQ((*reader)->counters().lost_replicas, 1u);
  }
  io_.load()->FailReads(absl::OkStatus());
  EXPECT_EQ(owner->Find(Key(0)), kObjectNotFound);  // it was reported
  EXPECT_TRUE(Eventually([&] { return owner->Put(Key(0), Value(7)) == kOk; }));
  EXPECT_TRUE(far.Holds(Key(0), Value(7)));
}

TEST_F(OffloadedTest, DamagedBytesAreACountedMiss) {
  StartMaster();
  const auto owner = MakeOwner();
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (entry.path().extension() != ".log") continue;
    std::filesystem::resize_file(entry.path(), 4096);
    std::filesystem::resize_file(entry.path(), 64 << 20);  // zeros
  }
  ErrorCode code = kOk;
  EXPECT_EQ(owner->Read(Key(0), &code), nullptr);
  EXPECT_EQ(code, kObjectNotFound);
  EXPECT_EQ((*owner)->counters().disk_misses, 1u);
}

TEST_F(OffloadedTest, AFullDiskKeepsObjectsInMemoryAlone) {
  StartMaster();
  const auto owner = MakeOwner();
  ASSERT_TRUE(Eventually([&] { return io_ != nullptr; }));
  io_.load()->FailWrites(absl::ResourceExhaustedError("ENOSPC"));
  for (int i = 0; i < 80; ++i) ASSERT_EQ(owner->Put(Key(i), Value(i)), kOk) << i;
  EXPECT_TRUE((*owner)->OnDisk().empty());
  EXPECT_TRUE(owner->Holds(Key(79), Value(79)));
  EXPECT_EQ(owner->Find(Key(0)), kObjectNotFound);
}

TEST_F(OffloadedTest, TheOldestGoWhenTheDiskIsUsedUp) {
  StartMaster(/*capacity=*/24 << 20);
  const auto owner = MakeOwner();
  int missing = 0;
  for (int i = 0; i < 150; ++i) {
    ASSERT_EQ(owner->Put(Key(i), Value(i)), kOk) << i;
  }
  for (int i = 0; i < 150; ++i) {
    ErrorCode code = kOk;
    const auto handle = owner->Read(Key(i), &code);
    if (handle == nullptr) {
      EXPECT_EQ(code, kObjectNotFound) << i;
      ++missing;
    } else {
      EXPECT_TRUE(std::ranges::equal(handle->bytes(), Value(i))) << i;
    }
  }
  EXPECT_GE(missing, 150 - 32 - 24);
  EXPECT_LE(missing, 150 - kInMemory);
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  EXPECT_LE(bytes, (24u << 20) + 4096);
}

TEST_F(OffloadedTest, WithoutAUsableDirectoryObjectsStayInMemory) {
  StartMaster(0, "/proc/nowhere");
  const auto owner = MakeOwner();
  for (int i = 0; i < 60; ++i) ASSERT_EQ(owner->Put(Key(i), Value(i)), kOk) << i;
  EXPECT_TRUE(owner->Holds(Key(59), Value(59)));
  EXPECT_TRUE(Eventually([&] {
    return RenderMetrics(owner->registry()).find("tandem:store_disk_unusable_total 1") !=
           std::string::npos;
  }));
}

TEST_F(OffloadedTest, AnOwnerGivesStrangersNothingFromDisk) {
  StartMaster();
  const auto owner = MakeOwner();
  Put(*owner, 40);
  ASSERT_TRUE(IsOnDiskAlone(Key(0)) && IsOnDiskAlone(Key(1)));
  const proto::Extent place = Ask(Key(0)).extents(0);
  EXPECT_EQ(place.grant(), "");
  const proto::Extent granted = Ask(Key(0), false).extents(0),
                      other = Ask(Key(1), false).extents(0);
  const proto::Extent in_memory = Ask(Key(39), false).extents(0);
  SegmentOwner nothing;
  auto stranger = transfer::Transport::Create({.hostname = "127.0.0.1", .listen = false}, nothing);
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  auto buffer = std::make_shared<std::vector<std::byte>>(kObject);
  const auto read = [&](const proto::Extent& extent, const proto::Extent& shown, bool on_disk) {
    return (*stranger)
        ->Read((*owner)->segment_name(),
               {{FromProto(extent), {*buffer, buffer}, UnpackGrant(shown.grant()), on_disk}})
        ->Wait(In(seconds(20)), seconds(10));
  };
  EXPECT_TRUE(absl::IsPermissionDenied(read(place, place, true)));
  EXPECT_TRUE(absl::IsPermissionDenied(read(place, other, true)));
  EXPECT_TRUE(absl::IsPermissionDenied(read(place, in_memory, true)));
  // A grant to read from disk is none to read memory.
  EXPECT_TRUE(absl::IsPermissionDenied(read(in_memory, granted, false)));
  EXPECT_EQ(*buffer, std::vector<std::byte>(kObject));
  EXPECT_TRUE(read(place, granted, true).ok());
  EXPECT_EQ(*buffer, Value(0));
}

}  // namespace
}  // namespace tandem::store
