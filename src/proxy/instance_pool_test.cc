#include "proxy/instance_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tandem::proxy {
namespace {

class RecordingCall : public http::Call {
 public:
  void Cancel() override { cancelled = true; }
  bool cancelled = false;
};

class InstancePoolTest : public testing::Test {
 protected:
  /// How often each instance is chosen in `times` turns.
  std::map<int, int> Take(int times, std::optional<uint64_t> session = std::nullopt) {
    std::map<int, int> taken;
    for (int i = 0; i < times; ++i) ++taken[pool_.Choose(session, {}).value_or(-1)];
    return taken;
  }

  FakeClock clock_;
  InstancePool pool_{"decoder", {"a:1", "b:2", "c:3"}, clock_};
};

TEST_F(InstancePoolTest, TakesTurns) {
  EXPECT_THAT(Take(9),
              testing::ElementsAre(testing::Pair(0, 3), testing::Pair(1, 3), testing::Pair(2, 3)));
}

TEST_F(InstancePoolTest, LeavesOutThoseThatAreDown) {
  pool_.MarkDown(1, "test");
  EXPECT_THAT(Take(10), testing::ElementsAre(testing::Pair(0, 5), testing::Pair(2, 5)));
  pool_.MarkUp(1);
  EXPECT_EQ(Take(9)[1], 3);
}

TEST_F(InstancePoolTest, NothingIsChosenWhenAllAreDownOrExcluded) {
  pool_.MarkDown(0, "test");
  EXPECT_EQ(pool_.Choose(std::nullopt, {1, 2}), std::nullopt);
  EXPECT_EQ(pool_.ChooseAny({1, 2}), 0);
  EXPECT_EQ(pool_.ChooseAny({0, 1, 2}), std::nullopt);
}

TEST_F(InstancePoolTest, ASessionStaysWhereItIs) {
  EXPECT_THAT(Take(5, 4), testing::ElementsAre(testing::Pair(1, 5)));
  EXPECT_THAT(Take(5, UINT64_MAX), testing::ElementsAre(testing::Pair(0, 5)));
  pool_.MarkDown(1, "test");
  EXPECT_THAT(Take(5, 4), testing::ElementsAre(testing::Pair(2, 5)));
}

TEST_F(InstancePoolTest, ForgetsTheNamespaceOfOneThatWentDown) {
  pool_.SetNamespace(0, "x");
  EXPECT_EQ(pool_.Status(0).cache_namespace, "x");
  pool_.MarkDown(0, "test");
  EXPECT_EQ(pool_.Status(0).cache_namespace, "");
}

TEST_F(InstancePoolTest, CancelsCallsToThoseThatStayDown) {
  const auto down = std::make_shared<RecordingCall>();
  const auto up = std::make_shared<RecordingCall>();
  pool_.Track(0, down);
  pool_.Track(1, up);
  pool_.MarkDown(0, "test");
  clock_.Advance(std::chrono::seconds(9));
  pool_.CancelCalls(std::chrono::seconds(10));
  EXPECT_FALSE(down->cancelled);
  clock_.Advance(std::chrono::seconds(1));
  pool_.CancelCalls(std::chrono::seconds(10));
  EXPECT_TRUE(down->cancelled);
  EXPECT_FALSE(up->cancelled);
}

}  // namespace
}  // namespace tandem::proxy
