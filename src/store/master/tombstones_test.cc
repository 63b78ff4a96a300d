#include "store/master/tombstones.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem::store {
namespace {

TEST(TombstonesTest, CoversAKeyUpToItsGeneration) {
  Tombstones tombstones(10);
  tombstones.Add("a", 5);
  tombstones.Add("a", 3);
  EXPECT_TRUE(tombstones.Cover("a", 5, 0));
  EXPECT_FALSE(tombstones.Cover("a", 6, 0));
  EXPECT_FALSE(tombstones.Cover("b", 1, 0));
}

TEST(TombstonesTest, ForgetsTheOldestAndWithThemOnlyWhatIsAsOld) {
  Tombstones tombstones(3);
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    tombstones.Add("removed" + std::to_string(generation), 10 * generation);
  }
  EXPECT_FALSE(tombstones.Cover("alive", 1, 0));
  tombstones.Add("removed4", 40);
  EXPECT_TRUE(tombstones.Cover("removed1", 10, 0));
  EXPECT_TRUE(tombstones.Cover("alive", 10, 0));
  EXPECT_FALSE(tombstones.Cover("alive", 11, 0));
  EXPECT_TRUE(tombstones.Cover("removed2", 20, 0));
  EXPECT_FALSE(tombstones.Cover("removed2", 21, 0));
}

TEST(TombstonesTest, WhatIsForgottenKeepsOutOnlyWhoHadNotHeardOfIt) {
  Tombstones tombstones(1);
  tombstones.Add("removed1", 10);
  tombstones.Add("removed2", 20);
  EXPECT_TRUE(tombstones.Cover("alive", 5, 10));
  EXPECT_FALSE(tombstones.Cover("alive", 5, 11));
  EXPECT_TRUE(tombstones.Cover("removed2", 5, 11));
  tombstones.Add("removed3", 30);
  EXPECT_TRUE(tombstones.Cover("removed2", 5, 11));
}

TEST(TombstonesTest, ListsWhatItHadForgottenForALaterLife) {
  Tombstones tombstones(1), later(1);
  tombstones.Add("a", 10);
  tombstones.Add("b", 20);
  later.ForgetThrough(tombstones.forgotten_through());
  EXPECT_TRUE(later.Cover("a", 10, 10));
  EXPECT_FALSE(later.Cover("a", 11, 0));
}

TEST(TombstonesTest, OneThatIsRenewedForbidsNothingElseWhenItsFirstIsForgotten) {
  Tombstones tombstones(2);
  tombstones.Add("a", 10);
  tombstones.Add("a", 20);
  tombstones.Add("b", 30);  // the first of "a" is forgotten
  EXPECT_FALSE(tombstones.Cover("alive", 5, 0));
  EXPECT_TRUE(tombstones.Cover("a", 20, 0));
  tombstones.Add("c", 40);
  EXPECT_TRUE(tombstones.Cover("alive", 20, 0));
  EXPECT_FALSE(tombstones.Cover("alive", 21, 0));
}

TEST(TombstonesTest, ListsTheOldestFirstAndEachKeyOnce) {
  Tombstones tombstones(10);
  tombstones.Add("a", 10);
  tombstones.Add("b", 20);
  tombstones.Add("a", 30);
  std::vector<uint64_t> generations;
  tombstones.ForEach([&](uint64_t, uint64_t generation) { generations.push_back(generation); });
  EXPECT_EQ(generations, (std::vector<uint64_t>{20, 30}));
}

TEST(TombstonesTest, CoversWhatAPatternFinds) {
  Tombstones tombstones(10);
  tombstones.AddMatching("^x", 7);
  EXPECT_TRUE(tombstones.Cover("x1", 7, 0));
  EXPECT_FALSE(tombstones.Cover("x1", 8, 0));
  EXPECT_FALSE(tombstones.Cover("1x", 7, 0));
  tombstones.AddMatching("", 2);
  EXPECT_TRUE(tombstones.Cover("1x", 2, 0));
}

}  // namespace
}  // namespace tandem::store
