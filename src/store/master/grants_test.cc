#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// A pool with one segment, whose owner's clock stands at a time of its own.
class GrantsTest : public testing::Test {
 protected:
  GrantsTest() { Mount(); }
  void Mount() {
    proto::MountSegmentRequest request;
    request.set_client_id("a");
    request.mutable_segment()->set_name("a");
    request.mutable_segment()->set_size(1 << 20);
    request.set_host_budget(1 << 20);
    request.set_grant_key(key_.bytes());
    request.set_grant_clock(owners_time_);
    ASSERT_EQ(pool_.master.MountSegment(request).code(), kOk);
  }
  void Pass(Duration time) {
    pool_.clock.Advance(time);
    owners_time_ += static_cast<uint64_t>(std::chrono::duration_cast<milliseconds>(time).count());
  }
  void Ping() {
    proto::PingRequest request;
    request.set_client_id("a");
    request.set_grant_clock(owners_time_);
    pool_.master.Ping(request);
  }
  absl::Status Check(const proto::Extent& extent, Access access) {
    return key_.Check({extent.offset(), extent.length(), extent.generation(), access},
                      UnpackGrant(extent.grant()), owners_time_);
  }

  const ExtentGrantKey key_ = ExtentGrantKey::Random();
  uint64_t owners_time_ = 1'000'000;
  Pool pool_;
};

TEST_F(GrantsTest, ArePartOfWhatIsGivenToWriteAndToRead) {
  const proto::PutStartResult started = pool_.Start("b", "key", 100);
  ASSERT_EQ(started.code(), kOk);
  EXPECT_TRUE(Check(started.extents(0), Access::kWrite).ok());
  EXPECT_FALSE(Check(started.extents(0), Access::kRead).ok());
  ASSERT_EQ(pool_.End("b", "key", started), kOk);
  const proto::GetReplicasResult found = pool_.Get("key");
  EXPECT_TRUE(Check(found.extents(0), Access::kRead).ok());
  EXPECT_FALSE(Check(found.extents(0), Access::kWrite).ok());
  // Whoever only looks on is granted nothing.
  EXPECT_EQ(pool_.Get("key", /*without_lease=*/true).extents(0).grant(), "");
}

TEST_F(GrantsTest, LastForTheLeaseAndATransferByTheOwnersClock) {
  ASSERT_EQ(pool_.Put("b", "key", 100), kOk);
  Pass(hours(5));
  const proto::Extent extent = pool_.Get("key").extents(0);
  Pass(std::chrono::seconds(10) + std::chrono::minutes(10));
  EXPECT_TRUE(Check(extent, Access::kRead).ok());
  Pass(milliseconds(1));
  EXPECT_FALSE(Check(extent, Access::kRead).ok());
}

TEST_F(GrantsTest, FollowAnOwnersClockThatIsSet) {
  ASSERT_EQ(pool_.Put("b", "key", 100), kOk);
  owners_time_ += 100'000'000;
  EXPECT_FALSE(Check(pool_.Get("key").extents(0), Access::kRead).ok());
  Ping();
  EXPECT_TRUE(Check(pool_.Get("key").extents(0), Access::kRead).ok());
}

TEST_F(GrantsTest, AreGivenAfterARestartFromASnapshot) {
  owners_time_ = GrantClockNow();
  Mount();
  ASSERT_EQ(pool_.Put("b", "key", 100), kOk);
  Pool next;
  next.master.Restore(pool_.master.TakeSnapshot());
  EXPECT_TRUE(Check(next.Get("key").extents(0), Access::kRead).ok());
}

TEST_F(GrantsTest, AreNotGivenWithoutAKey) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  EXPECT_EQ(pool.Start("b", "key", 100).extents(0).grant(), "");
}

}  // namespace
}  // namespace tandem::store
