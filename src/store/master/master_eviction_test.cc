#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "store/master/eviction.h"
#include "store/master/object.h"
#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::Not;

constexpr uint64_t kUnit = 4096;

std::string Key(int i) { return "k" + std::to_string(1000 + i); }

proto::ReplicateConfig Pinned(bool soft, bool hard) {
  proto::ReplicateConfig config;
  config.set_soft_pin(soft);
  config.set_hard_pin(hard);
  return config;
}

/// A pool of 100 units of which `count` are used, one object each, oldest first.
class EvictionTest : public testing::Test {
 protected:
  void Fill(int count, const proto::ReplicateConfig& config = {}) {
    pool_.Mount("a", 100 * kUnit);
    for (int i = 0; i < count; ++i) {
      pool_.clock.Advance(std::chrono::milliseconds(1));
      ASSERT_EQ(pool_.Put("a", Key(i), kUnit, config), kOk);
    }
  }
  Pool pool_;
};

TEST_F(EvictionTest, StartsAboveTheWatermarkWithTheLeastRecentlyUsed) {
  Fill(90);
  EXPECT_EQ(pool_.Keys().size(), 90u);
  EXPECT_EQ(pool_.Put("a", "one more", kUnit), kOk);
  EXPECT_LE(pool_.Keys().size(), 86u);
  EXPECT_GE(pool_.Keys().size(), 84u);
  EXPECT_FALSE(pool_.Exists(Key(0)));
  EXPECT_FALSE(pool_.Exists(Key(4)));
  EXPECT_TRUE(pool_.Exists(Key(7)));
  EXPECT_TRUE(pool_.Exists("one more"));
  EXPECT_EQ(pool_.metrics.evicted_bytes.Value(), pool_.metrics.evicted_keys.Value() * kUnit);
}

TEST(Eviction, OfManyObjectsGoesInSteps) {
  Pool pool({.eviction_ratio = 0.5});
  pool.Mount("a", 2000 * kUnit);
  for (int i = 0; i < 1800; ++i) ASSERT_EQ(pool.Put("a", Key(i), kUnit), kOk);
  EXPECT_EQ(pool.metrics.evicted_keys.Value(), 0);
  ASSERT_EQ(pool.Put("a", "one more", kUnit), kOk);
  const double first = pool.metrics.evicted_keys.Value();
  EXPECT_GT(first, 0);
  EXPECT_LT(first, 500);
  ASSERT_EQ(pool.Put("a", "and another", kUnit), kOk);
  EXPECT_EQ(pool.metrics.evicted_keys.Value(), 2 * first);
  while (pool.master.ContinueEviction()) {
  }
  EXPECT_EQ(pool.metrics.evicted_keys.Value(), 1001);
  EXPECT_EQ(pool.metrics.attempted_evictions.Value(), 1);
  EXPECT_FALSE(pool.Exists(Key(1000)));
  EXPECT_TRUE(pool.Exists(Key(1001)));
}

TEST_F(EvictionTest, SparesWhatWasUsedSince) {
  Fill(90);
  pool_.Get(Key(0));
  pool_.clock.Advance(seconds(11));  // The lease is over; the use still counts.
  pool_.Put("a", "one more", kUnit);
  EXPECT_TRUE(pool_.Exists(Key(0)));
  EXPECT_FALSE(pool_.Exists(Key(1)));
}

TEST_F(EvictionTest, NeverTakesWhatHasALease) {
  Fill(90);
  for (int i = 0; i < 90; ++i) pool_.Get(Key(i));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(pool_.Start("a", "new" + std::to_string(i), kUnit).code(), kOk);
  }
  EXPECT_EQ(pool_.Start("a", "no room", kUnit).code(), kNoSpace);
  EXPECT_EQ(pool_.metrics.allocation_failures.Value(), 1);
  for (int i = 0; i < 90; ++i) EXPECT_TRUE(pool_.Exists(Key(i)));

  pool_.clock.Advance(seconds(10));
  EXPECT_EQ(pool_.Start("a", "room", kUnit).code(), kOk);
}

TEST_F(EvictionTest, NeverTakesWhatAReaderHoldsMapped) {
  Fill(85);
  proto::PingRequest ping;
  ping.set_client_id("a");
  ping.add_held_generations(pool_.Get(Key(0), true).extents(0).generation());
  ping.add_held_generations(1'000'000);  // of no object
  const proto::PutStartResult unfinished = pool_.Start("a", "unfinished", kUnit);
  ping.add_held_generations(unfinished.extents(0).generation());
  for (int i = 0; i < 200; ++i) {
    pool_.clock.Advance(seconds(1));  // a lease lasts for 10
    pool_.master.Ping(ping);
    ASSERT_EQ(pool_.Put("a", "new" + std::to_string(i), kUnit), kOk);
  }
  EXPECT_TRUE(pool_.Exists(Key(0)));
  EXPECT_EQ(pool_.Remove(Key(0)), kObjectHasLease);
  pool_.clock.Advance(seconds(11));
  EXPECT_EQ(pool_.Remove(Key(0)), kOk);
}

TEST(Eviction, TakesWhatHasNoLeaseAnyMoreWhileALongerOneLasts) {
  Pool pool(
      {.lease_ttl = seconds(1), .eviction_high_watermark_ratio = 1, .client_ttl = seconds(10)});
  pool.Mount("a", 3 * kUnit);
  for (const char* key : {"held", "read", "read too"}) ASSERT_EQ(pool.Put("a", key, kUnit), kOk);
  proto::PingRequest ping;
  ping.set_client_id("a");
  ping.add_held_generations(pool.Get("held", true).extents(0).generation());
  pool.master.Ping(ping);
  for (const char* key : {"read", "read too"}) ASSERT_EQ(pool.Get(key).code(), kOk);
  EXPECT_EQ(pool.Put("a", "none has ended", kUnit), kNoSpace);
  pool.clock.Advance(seconds(2));
  EXPECT_EQ(pool.Put("a", "new", kUnit), kOk);
  EXPECT_TRUE(pool.Exists("held"));
  EXPECT_FALSE(pool.Exists("read"));
}

TEST(Eviction, OfManyObjectsGoesInSlicesThatOthersGetBetween) {
  Pool pool({.eviction_ratio = 0.5});
  pool.Mount("a", 10'000 * uint64_t{64});
  for (int i = 0; i < 9'000; ++i) ASSERT_EQ(pool.Put("a", Key(i), 64), kOk);
  ASSERT_EQ(pool.Put("a", "one more", 64), kOk);
  const size_t before = pool.Keys().size();
  EXPECT_GT(before, 8'000u);
  EXPECT_TRUE(pool.master.ContinueEviction());
  EXPECT_LT(pool.Keys().size(), before);
  EXPECT_GT(pool.Keys().size(), before - 1'000);
  while (pool.master.ContinueEviction()) {
  }
  EXPECT_NEAR(double(pool.Keys().size()), 4'000, 10);
  EXPECT_EQ(pool.metrics.attempted_evictions.Value(), 1);
  EXPECT_EQ(pool.metrics.successful_evictions.Value(), 1);
}

TEST_F(EvictionTest, TakesSoftPinnedObjectsLast) {
  pool_.Mount("a", 100 * kUnit);
  for (int i = 0; i < 45; ++i) pool_.Put("a", Key(i), kUnit, Pinned(true, false));
  for (int i = 45; i < 90; ++i) pool_.Put("a", Key(i), kUnit);
  EXPECT_EQ(pool_.master.usage().soft_pinned_keys, 45u);
  for (int i = 90; i < 130; ++i) ASSERT_EQ(pool_.Put("a", Key(i), kUnit), kOk);
  for (int i = 0; i < 45; ++i) EXPECT_TRUE(pool_.Exists(Key(i)));

  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(pool_.Put("a", "new" + std::to_string(i), kUnit, Pinned(true, false)), kOk);
  }
  EXPECT_FALSE(pool_.Exists(Key(0)));
}

TEST_F(EvictionTest, TreatsASoftPinAsOverAfterItsTime) {
  pool_.Mount("a", 100 * kUnit);
  for (int i = 0; i < 45; ++i) pool_.Put("a", Key(i), kUnit, Pinned(true, false));
  pool_.clock.Advance(minutes(31));
  for (int i = 45; i < 95; ++i) pool_.Put("a", Key(i), kUnit);
  EXPECT_FALSE(pool_.Exists(Key(0)));
  EXPECT_TRUE(pool_.Exists(Key(45)));
}

TEST(Eviction, LeavesSoftPinnedObjectsIfToldTo) {
  Pool pool({.allow_evict_soft_pinned_objects = false});
  pool.Mount("a", 10 * kUnit);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(pool.Put("a", Key(i), kUnit, Pinned(true, false)), kOk);
  EXPECT_EQ(pool.Put("a", "k", kUnit), kNoSpace);
}

TEST_F(EvictionTest, NeverTakesHardPinnedObjects) {
  Fill(100, Pinned(false, true));
  EXPECT_EQ(pool_.Put("a", "k", kUnit), kNoSpace);
  EXPECT_EQ(pool_.Keys().size(), 100u);
  EXPECT_EQ(pool_.Get(Key(3)).code(), kOk);
  EXPECT_EQ(pool_.Remove(Key(3), true), kOk);
  pool_.Ping("a", pool_.Ping("a").sequence());  // no reader holds it
  EXPECT_EQ(pool_.Put("a", "k", kUnit), kOk);
}

TEST_F(EvictionTest, MakesRoomForALargeObject) {
  Fill(80);
  EXPECT_EQ(pool_.Put("a", "large", 40 * kUnit), kOk);
  EXPECT_THAT(pool_.Keys(), Contains("large"));
}

TEST_F(EvictionTest, KeepsEverythingWhenAnObjectIsLargerThanAnySegment) {
  Fill(80);
  EXPECT_EQ(pool_.Put("a", "huge", 101 * kUnit), kNoSpace);
  EXPECT_EQ(pool_.Keys().size(), 80u);
  EXPECT_EQ(pool_.metrics.attempted_evictions.Value(), 0);
}

TEST_F(EvictionTest, TellsTheOwnerWhatWentUntilItConfirms) {
  Fill(90);
  const auto oldest = pool_.Get(Key(0), true).extents(0);
  pool_.Put("a", "one more", kUnit);
  const auto told = pool_.Ping("a");
  ASSERT_GE(told.removed_size(), 5);
  EXPECT_EQ(told.removed(0).key(), Key(0));
  EXPECT_EQ(told.removed(0).extent().generation(), oldest.generation());
  EXPECT_EQ(pool_.Ping("a").removed_size(), told.removed_size());
  EXPECT_EQ(pool_.Ping("a", told.sequence() - 1).removed_size(), 1);
  EXPECT_EQ(pool_.Ping("a", told.sequence()).removed_size(), 0);
}

/// Whatever is put, used and removed: bytes are accounted for, and what has a lease stays.
TEST(Eviction, KeepsItsAccountsOverRandomUse) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&random](int most) {
      return std::uniform_int_distribution<int>(0, most)(random);
    };
    Pool pool({.random_seed = seed});
    pool.Mount("a", 64 * kUnit);
    pool.Mount("b", 32 * kUnit);
    for (int step = 0; step < 2000; ++step) {
      const std::string key = Key(pick(60));
      std::string leased;
      switch (pick(5)) {
        case 0:
          pool.Remove(key);
          break;
        case 1:
          pool.Start("b", key, uint64_t(1 + pick(5 * kUnit)));
          break;
        case 2:
          if (pool.Get(key).code() == kOk) leased = key;
          break;
        case 3:
          pool.Pass(seconds(pick(4)), {"a", "b"});
          break;
        default:
          pool.Put("a", key, uint64_t(1 + pick(5 * kUnit)), Pinned(pick(3) == 0, false));
      }
      if (!leased.empty()) {
        pool.Put("b", "extra" + std::to_string(step), 6 * kUnit);
        ASSERT_TRUE(pool.Exists(leased));
      }
    }
    pool.Pass(seconds(1000), {"a", "b"});
    uint64_t bytes = 0;
    for (const std::string& key : pool.Keys()) {
      bytes += (pool.Get(key, true).size() + 63) / 64 * 64;
    }
    EXPECT_EQ(pool.master.usage().allocated_bytes, bytes) << "seed " << seed;
    pool.master.RemoveAll({});
    EXPECT_EQ(pool.master.usage().allocated_bytes, 0u) << "seed " << seed;
  }
}

TEST(EvictionOrderTest, WhatIsHeldWhileItIsStoredKeepsNoOtherBehindIt) {
  Object stored, read;
  for (Object* object : {&stored, &read}) object->state = Object::State::kComplete;
  EvictionOrder order(minutes(30));
  const TimePoint start{};
  order.Add(stored, start);
  order.Remove(stored);  // its owner is at it
  order.Hold(stored, start, start + seconds(20));
  order.Settle(stored, start);
  order.Add(read, start);
  order.Lease(read, start, start + seconds(10));
  EXPECT_EQ(order.Next(start + seconds(9), true), nullptr);
  EXPECT_EQ(order.Next(start + seconds(11), true), &read);
  order.Remove(read);
  EXPECT_EQ(order.Next(start + seconds(21), true), &stored);
}

}  // namespace
}  // namespace tandem::store
