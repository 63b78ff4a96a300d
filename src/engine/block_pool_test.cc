#include "engine/block_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of the whole blocks of 4 tokens.
std::vector<BlockHash> HashesOf(const std::vector<int32_t>& tokens, int prompt_tokens,
                                const BlockHash& root = {}) {
  BlockHashes hashes(root, 4, prompt_tokens);
  const auto first = hashes.First(static_cast<int>(tokens.size()) / 4, tokens);
  return {first.begin(), first.end()};
}

std::vector<BlockHash> Hashes(int blocks) {
  std::vector<int32_t> prompt(blocks * 4);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<int32_t>(i);
  return HashesOf(prompt, blocks * 4);
}

TEST(BlockPoolTest, GivesAllBlocksOrNone) {
  BlockPool pool(3);
  std::vector<int32_t> table;
  EXPECT_TRUE(pool.Allocate(2, table));
  EXPECT_FALSE(pool.Allocate(2, table));
  EXPECT_THAT(table, ElementsAre(0, 1));
  EXPECT_EQ(pool.used_blocks(), 2);
}

TEST(BlockPoolTest, BlocksAreFreeWhenTheLastReferenceGoes) {
  BlockPool pool(2);
  std::vector<int32_t> table;
  ASSERT_TRUE(pool.Allocate(2, table));
  pool.AddReferences(table);
  pool.Release(table);
  EXPECT_EQ(pool.free_blocks(), 0);
  pool.Release(table);
  EXPECT_EQ(pool.free_blocks(), 2);
}

TEST(BlockPoolTest, ReusesTheLeastRecentlyUsedAndTheTailFirst) {
  BlockPool pool(4);
  std::vector<int32_t> first;
  std::vector<int32_t> second;
  ASSERT_TRUE(pool.Allocate(2, first));
  ASSERT_TRUE(pool.Allocate(2, second));
  pool.Release(second);
  pool.Release(first);
  std::vector<int32_t> table;
  ASSERT_TRUE(pool.Allocate(4, table));
  EXPECT_THAT(table, ElementsAre(3, 2, 1, 0));
}

TEST(BlockPoolTest, FindsPublishedBlocksUntilTheyAreReused) {
  BlockPool pool(3);
  const std::vector<BlockHash> hashes = Hashes(3);
  std::vector<int32_t> table;
  ASSERT_TRUE(pool.Allocate(2, table));
  pool.Publish(table[0], hashes[0]);
  pool.Publish(table[1], hashes[1]);
  pool.Release(table);

  std::vector<int32_t> found = pool.Find(hashes);
  EXPECT_EQ(found, table);
  EXPECT_EQ(pool.used_blocks(), 2) << "found blocks are referenced";
  pool.Release(found);

  // The unused block goes first, then the tail of the prefix.
  std::vector<int32_t> other;
  ASSERT_TRUE(pool.Allocate(2, other));
  found = pool.Find(hashes);
  EXPECT_THAT(found, ElementsAre(table[0]));
}

TEST(BlockPoolTest, TheFirstBlockUnderAHashKeepsIt) {
  BlockPool pool(2);
  const std::vector<BlockHash> hashes = Hashes(1);
  std::vector<int32_t> table;
  ASSERT_TRUE(pool.Allocate(2, table));
  pool.Publish(table[0], hashes[0]);
  pool.Publish(table[1], hashes[0]);
  EXPECT_THAT(pool.Find(hashes), ElementsAre(table[0]));
  pool.Release(table);
  pool.Release(std::vector<int32_t>{table[0]});
  std::vector<int32_t> all;
  ASSERT_TRUE(pool.Allocate(2, all));
  EXPECT_THAT(pool.Find(hashes), IsEmpty());
}

TEST(BlockHashTest, DependsOnEveryTokenBeforeAndOnTheRoot) {
  std::vector<int32_t> prompt(9);
  const std::vector<BlockHash> hashes = HashesOf(prompt, 9);
  ASSERT_EQ(hashes.size(), 2u);
  EXPECT_NE(hashes[0], hashes[1]);
  EXPECT_NE(HashesOf(prompt, 9, {1})[0], hashes[0]);
  prompt[0] = 1;
  EXPECT_NE(HashesOf(prompt, 9)[1], hashes[1]);
}

TEST(BlockHashTest, DependsOnWhichTokensWereGenerated) {
  const std::vector<int32_t> tokens(12);
  const std::vector<BlockHash> prompt = HashesOf(tokens, 12);
  EXPECT_EQ(HashesOf(tokens, 20), prompt) << "only the block's own tokens count";
  const std::vector<BlockHash> some = HashesOf(tokens, 6);
  EXPECT_EQ(some[0], prompt[0]);
  EXPECT_NE(some[1], prompt[1]);
  EXPECT_NE(some[2], prompt[2]);
  EXPECT_NE(HashesOf(tokens, 5)[1], some[1]);
  EXPECT_NE(HashesOf(tokens, 4)[2], some[2]);
}

TEST(BlockHashTest, GoesOnWhereItStopped) {
  std::vector<int32_t> tokens(8, 3);
  BlockHashes hashes({}, 4, 2);
  const BlockHash first = hashes.First(1, tokens)[0];
  tokens.insert(tokens.end(), {5, 6, 7, 8});
  EXPECT_EQ(hashes.First(3, tokens)[0], first);
  const auto all = hashes.First(3, tokens);
  EXPECT_EQ(std::vector<BlockHash>(all.begin(), all.end()), HashesOf(tokens, 2));
}

}  // namespace
}  // namespace tandem::engine
