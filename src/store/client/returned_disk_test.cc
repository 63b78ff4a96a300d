// What an owner's disk brings back after a restart, once the master has forgotten what was removed.
#include <gtest/gtest.h>

#include <filesystem>

#include "store/client/testing/offloaded.h"
#include "store/disk/heard_through.h"

namespace tandem::store {
namespace {

using std::chrono::seconds;
using testing::Eventually;
using testing::Key;
using testing::kObject;
using testing::Member;
using testing::OffloadedTest;
using testing::RandomBytes;
using testing::Value;

const MasterOptions kForgetful{.lease_ttl = Duration::zero(), .tombstones = 4};

class ReturnedDiskTest : public OffloadedTest {
 protected:
  void SetUp() override {
    StartMaster(0, "", kForgetful);
    reader_ = std::make_unique<Member>(*master_, 0);
    owner_ = MakeOwner();
    Put(*owner_, 40);
    ASSERT_TRUE(IsOnDiskAlone(Key(0)) && IsOnDiskAlone(Key(1)));
  }
  /// More than the master remembers.
  void RemoveOthers() {
    std::vector<std::string> others;
    for (int i = 0; i < 20; ++i) others.push_back("other " + std::to_string(i));
    (*reader_)->Remove(others, /*force=*/true, testing::In(seconds(20)));
  }
  /// Waits until the owner's disk says that it has outlived all removals so far.
  bool AwaitNoted() {
    // Above them stands a generation, and above that another removal.
    if (owner_->Put("marker", RandomBytes(100, 1)) != kOk) return false;
    const uint64_t marker = Ask("marker").extents(0).generation();
    return Remove(*owner_, "marker") == kOk &&
           Eventually([&] { return ReadHeardThrough(owner_directory()).generation > marker; });
  }
  /// Has the owner hear of the last removal.
  void HearAll() {
    // Once it is a member.
    ASSERT_TRUE(Eventually([&] { return owner_->Put("last", RandomBytes(100, 2)) == kOk; }));
    ASSERT_EQ(Remove(*owner_, "last"), kOk);
  }
  /// A later life of the master, which wants a disk to be used or not.
  void RestartMaster(bool offloads) {
    MasterOptions options = kForgetful;
    if (offloads) options.offload_directory = directory_.path();
    master_->RestartFromSnapshot(options);
  }
  std::string owner_directory() const {
    return std::filesystem::directory_iterator(directory_.path())->path().string();
  }
  void ComeBack() {
    owner_.reset();
    owner_ = MakeOwner();
  }
  /// Whether all that was on it comes to be refused.
  bool LosesItsDisk() const {
    return Eventually([&] {
      for (const auto& entry : std::filesystem::directory_iterator(owner_directory())) {
        if (entry.path().extension() == ".log") return false;
      }
      return true;
    });
  }

  std::unique_ptr<Member> reader_, owner_;
};

TEST_F(ReturnedDiskTest, BringsWhatHasOutlivedAllThatTheMasterHasForgotten) {
  ASSERT_EQ(Remove(*owner_, Key(1)), kOk);
  RemoveOthers();
  ASSERT_TRUE(AwaitNoted());
  ComeBack();
  EXPECT_TRUE(Eventually([&] { return reader_->Find(Key(0)) == kObject; }));
  EXPECT_TRUE(reader_->Holds(Key(0), Value(0)));
  EXPECT_EQ(reader_->Find(Key(1)), kObjectNotFound);
}

TEST_F(ReturnedDiskTest, BringsNothingThatWasRemovedMeanwhile) {
  RemoveOthers();
  ASSERT_TRUE(AwaitNoted());
  owner_.reset();
  EXPECT_EQ(Remove(*reader_, Key(1)), kObjectNotFound);
  ComeBack();
  EXPECT_TRUE(Eventually([&] { return reader_->Find(Key(0)) == kObject; }));
  EXPECT_EQ(reader_->Find(Key(1)), kObjectNotFound);
}

TEST_F(ReturnedDiskTest, BringsNothingOnceTheMasterHasForgottenWhatWasRemovedMeanwhile) {
  RemoveOthers();
  ASSERT_TRUE(AwaitNoted());
  owner_.reset();
  EXPECT_EQ(Remove(*reader_, Key(1)), kObjectNotFound);
  RemoveOthers();
  ComeBack();
  EXPECT_TRUE(LosesItsDisk());
  EXPECT_EQ(reader_->Find(Key(1)), kObjectNotFound);
}

TEST_F(ReturnedDiskTest, BringsNothingWhereWhatWasHeardIsTorn) {
  RemoveOthers();
  ASSERT_TRUE(AwaitNoted());
  owner_.reset();
  std::filesystem::resize_file(owner_directory() + "/heard", 20);
  ComeBack();
  EXPECT_TRUE(LosesItsDisk());
}

TEST_F(ReturnedDiskTest, BringsNothingThatAMasterRemovedWhichKnewOfNoDisk) {
  ASSERT_TRUE(AwaitNoted());
  RestartMaster(/*offloads=*/false);
  ASSERT_TRUE(Eventually([&] { return reader_->Find(Key(39)) == kObject; }));
  EXPECT_EQ(Remove(*reader_, Key(1)), kObjectNotFound);
  RemoveOthers();
  HearAll();
  RestartMaster(/*offloads=*/true);
  // What is in memory may go to disk again.
  EXPECT_TRUE(
      Eventually([&] { return !HasOnDisk(*owner_, Key(0)) && !HasOnDisk(*owner_, Key(1)); }));
  EXPECT_EQ(reader_->Find(Key(1)), kObjectNotFound);
}

TEST_F(ReturnedDiskTest, BringsNothingToAnOwnerWhoHeardOfAllBeforeItHadADisk) {
  ASSERT_TRUE(AwaitNoted());
  owner_.reset();
  RestartMaster(/*offloads=*/false);
  owner_ = MakeOwner();
  EXPECT_EQ(Remove(*reader_, Key(1)), kObjectNotFound);
  RemoveOthers();
  HearAll();
  RestartMaster(/*offloads=*/true);
  EXPECT_TRUE(LosesItsDisk());
  EXPECT_EQ(reader_->Find(Key(1)), kObjectNotFound);
}

}  // namespace
}  // namespace tandem::store
