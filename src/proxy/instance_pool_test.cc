#include "proxy/instance_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tandem::proxy {
namespace {

class RecordingCall : public http::Call {
 public:
  explicit RecordingCall(TimePoint last_progress) : last_progress_(last_progress) {}
  void Cancel() override { cancelled = true; }
  TimePoint last_progress() const override { return last_progress_; }
  void Hear(TimePoint now) { last_progress_ = now; }
  bool cancelled = false;

 private:
  TimePoint last_progress_;
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
  pool_.MarkUp(1, clock_.Now());
  EXPECT_EQ(Take(9)[1], 3);
}

TEST_F(InstancePoolTest, OneThatWentDownSinceItWasAskedStaysDown) {
  const TimePoint asked = clock_.Now();
  clock_.Advance(std::chrono::milliseconds(1));
  pool_.MarkDown(1, "the connection broke");
  pool_.MarkUp(1, asked);
  EXPECT_FALSE(pool_.Status(1).up);
  pool_.MarkUp(1, clock_.Now());
  EXPECT_TRUE(pool_.Status(1).up);
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

TEST_F(InstancePoolTest, CancelsSilentCallsToThoseThatStayDown) {
  const auto down = std::make_shared<RecordingCall>(clock_.Now());
  const auto up = std::make_shared<RecordingCall>(clock_.Now());
  pool_.Track(0, down);
  pool_.Track(1, up);
  pool_.MarkDown(0, "test");
  clock_.Advance(std::chrono::seconds(9));
  pool_.CancelSilentCalls(std::chrono::seconds(10));
  EXPECT_FALSE(down->cancelled);
  clock_.Advance(std::chrono::seconds(1));
  pool_.CancelSilentCalls(std::chrono::seconds(10));
  EXPECT_TRUE(down->cancelled);
  EXPECT_FALSE(up->cancelled);
}

TEST_F(InstancePoolTest, CancelsNoCallThatIsHeardOf) {
  const auto quiet = std::make_shared<RecordingCall>(clock_.Now());
  const auto heard = std::make_shared<RecordingCall>(clock_.Now());
  pool_.Track(0, quiet);
  pool_.Track(0, heard);
  pool_.MarkDown(0, "test");
  clock_.Advance(std::chrono::seconds(9));
  heard->Hear(clock_.Now());
  clock_.Advance(std::chrono::seconds(1));
  pool_.CancelSilentCalls(std::chrono::seconds(10));
  EXPECT_TRUE(quiet->cancelled);
  EXPECT_FALSE(heard->cancelled);
  clock_.Advance(std::chrono::seconds(9));
  pool_.CancelSilentCalls(std::chrono::seconds(10));
  EXPECT_TRUE(heard->cancelled);
}

TEST_F(InstancePoolTest, CancelsNoCallToOneThatAnswersProbes) {
  const auto call = std::make_shared<RecordingCall>(clock_.Now());
  pool_.Track(0, call);
  pool_.MarkDown(0, "GET /health answers 503");
  for (int second = 0; second < 30; ++second) {
    clock_.Advance(std::chrono::seconds(1));
    pool_.NoteAnswer(0);
    pool_.CancelSilentCalls(std::chrono::seconds(10));
  }
  EXPECT_FALSE(call->cancelled);
}

TEST_F(InstancePoolTest, KnowsWhetherAnyIsUp) {
  EXPECT_TRUE(pool_.AnyUp());
  for (int i = 0; i < pool_.size(); ++i) pool_.MarkDown(i, "test");
  EXPECT_FALSE(pool_.AnyUp());
}

TEST(InstanceMakeTest, ANamespaceAloneTellsNoRole) {
  FakeClock clock;
  InstancePool pool("prefiller", {"a:1"}, clock);
  pool.SetNamespace(0, "ns");
  EXPECT_FALSE(pool.Status(0).kv_role.has_value());
  pool.SetKvRole(0, "kv_consumer");
  EXPECT_NE(pool.Status(0).problem, "");
  pool.SetKvRole(0, "");
  EXPECT_EQ(pool.Status(0).kv_role, "");
  EXPECT_EQ(pool.Status(0).problem, "");
  pool.SetKvRole(0, "kv_consumer");
  pool.MarkDown(0, "it was stopped");
  EXPECT_FALSE(pool.Status(0).kv_role.has_value());
  EXPECT_EQ(pool.Status(0).problem, "");
}

TEST(InstanceMakeTest, WhatIsUnfitIsNeverChosen) {
  FakeClock clock;
  InstancePool pool("decoder", {"a:1", "b:1"}, clock);
  pool.MarkUnfit(0, "GET /v1/models answers 404");
  pool.MarkUp(0, clock.Now());
  EXPECT_EQ(pool.Choose(std::nullopt, {}), 1);
  pool.MarkDown(1, "refused");
  EXPECT_EQ(pool.ChooseAny({}), 1);
  EXPECT_EQ(pool.ChooseAny({1}), std::nullopt);
  pool.MarkForeign(0);
  EXPECT_EQ(pool.Choose(std::nullopt, {}), 0);
}

}  // namespace
}  // namespace tandem::proxy
