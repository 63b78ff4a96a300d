#include "cache/chunk_ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace tandem::cache {
namespace {

using Ends = std::vector<int>;

std::vector<int32_t> Prompt(int tokens) {
  std::vector<int32_t> prompt(tokens);
  std::iota(prompt.begin(), prompt.end(), 1000);
  return prompt;
}

class ChunkLedgerTest : public ::testing::Test {
 protected:
  ChunkLedger Make(int tokens, int committed = -1) {
    return ChunkLedger(Prompt(tokens), committed, policy_, ChunkHasher("123").root(), format_);
  }

  static Ends EndsOf(const std::vector<Chunk>& chunks) {
    Ends ends;
    for (const Chunk& chunk : chunks) ends.push_back(chunk.range.end);
    return ends;
  }
  static Ends LookedUp(const ChunkLedger& ledger) { return EndsOf(ledger.ChunksToLookUp()); }

  /// Says that of what is looked up, the chunks that end at `ends` are there.
  static void Find(ChunkLedger& ledger, const Ends& ends) {
    std::vector<bool> found;
    for (int end : LookedUp(ledger)) found.push_back(std::ranges::count(ends, end) > 0);
    ledger.RecordLookup(found);
  }

  static void SaveAll(ChunkLedger& ledger, int computed) {
    for (const Chunk& chunk : ledger.TakeUnsaved(computed)) ledger.MarkSaved(chunk, true);
  }

  ChunkPolicy policy_ = {.chunk_size = 16};
  ChunkKeyFormat format_{"model", "half", {}};
};

TEST_F(ChunkLedgerTest, LooksForWholeChunksAndBothTails) {
  EXPECT_EQ(LookedUp(Make(50)), (Ends{16, 32, 48, 50, 49}));
  EXPECT_EQ(LookedUp(Make(10)), (Ends{10, 9}));
  EXPECT_EQ(LookedUp(Make(48)), (Ends{16, 32, 48, 47}));
  EXPECT_EQ(LookedUp(Make(49)), (Ends{16, 32, 48, 49}));
  EXPECT_EQ(LookedUp(Make(1)), (Ends{1}));
}

TEST_F(ChunkLedgerTest, LooksForTheTailThatWasCommitted) {
  EXPECT_EQ(LookedUp(Make(50, 50)), (Ends{16, 32, 48, 50}));
  EXPECT_EQ(LookedUp(Make(50, 40)), (Ends{16, 32, 48, 40}));
  EXPECT_EQ(LookedUp(Make(50, 32)), (Ends{16, 32, 48}));
  EXPECT_EQ(LookedUp(Make(50, 0)), (Ends{16, 32, 48}));
  // A number that cannot be meant is as good as none.
  EXPECT_EQ(LookedUp(Make(50, 51)), (Ends{16, 32, 48, 50, 49}));
}

TEST_F(ChunkLedgerTest, WithoutUnfullChunksThereAreNoTails) {
  policy_.save_unfull_chunk = false;
  ChunkLedger ledger = Make(50, 50);
  EXPECT_EQ(LookedUp(ledger), (Ends{16, 32, 48}));
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(50)), (Ends{16, 32, 48}));
  EXPECT_EQ(LookedUp(Make(10)), (Ends{}));
}

TEST_F(ChunkLedgerTest, SkipsTheLastTokensOfPlainLookups) {
  policy_.skip_last_n_tokens = 1;
  EXPECT_EQ(LookedUp(Make(50)), (Ends{16, 32, 48, 49}));
  EXPECT_EQ(LookedUp(Make(48)), (Ends{16, 32, 47}));
  EXPECT_EQ(LookedUp(Make(50, 50)), (Ends{16, 32, 48, 50}));
  policy_.skip_last_n_tokens = 100;
  EXPECT_EQ(LookedUp(Make(50)), (Ends{}));
}

TEST_F(ChunkLedgerTest, AKeyIsThatOfItsPrefix) {
  ChunkLedger longer = Make(50);
  ChunkLedger shorter = Make(40);
  const auto a = longer.ChunksToLookUp();
  const auto b = shorter.ChunksToLookUp();
  EXPECT_EQ(a[0].key, b[0].key);
  EXPECT_EQ(a[1].key, b[1].key);
  EXPECT_NE(a[2].key, b[2].key);
  // The tail at 40 that a longer prompt was told of is the shorter prompt's own.
  EXPECT_EQ(Make(50, 40).ChunksToLookUp().back().key, b[2].key);
}

TEST_F(ChunkLedgerTest, CountsLeadingChunksOnly) {
  ChunkLedger ledger = Make(50);
  EXPECT_EQ(ledger.LeadingTokens(), 0);
  Find(ledger, {16, 48, 50});
  EXPECT_EQ(ledger.LeadingTokens(), 16);
}

TEST_F(ChunkLedgerTest, ATailCountsOnlyBehindItsChunks) {
  ChunkLedger full = Make(50);
  Find(full, {16, 32, 48, 49});
  EXPECT_EQ(full.LeadingTokens(), 49);
  ChunkLedger both = Make(50);
  Find(both, {16, 32, 48, 49, 50});
  EXPECT_EQ(both.LeadingTokens(), 50);
  ChunkLedger short_of_one = Make(48);
  Find(short_of_one, {16, 32, 47});
  EXPECT_EQ(short_of_one.LeadingTokens(), 47);
}

TEST_F(ChunkLedgerTest, LoadsFromTheChunksThatCoverWhatIsWanted) {
  ChunkLedger ledger = Make(50);
  Find(ledger, {16, 32, 48, 50, 49});
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(0, 50)), (Ends{16, 32, 48, 50}));
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(0, 49)), (Ends{16, 32, 48, 50}));
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(16, 48)), (Ends{32, 48}));
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(20, 33)), (Ends{32, 48}));
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(48, 49)), (Ends{50}));
  EXPECT_EQ(EndsOf(ledger.ChunksToLoad(50, 50)), (Ends{}));
}

TEST_F(ChunkLedgerTest, HandsOutEachChunkOnce) {
  ChunkLedger ledger = Make(50);
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(15)), (Ends{}));
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(40)), (Ends{16, 32}));
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(40)), (Ends{}));
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(49)), (Ends{48}));
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(50)), (Ends{50}));
}

TEST_F(ChunkLedgerTest, WhatWasFoundIsNotSavedAgain) {
  ChunkLedger ledger = Make(50);
  Find(ledger, {16, 32});
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(50)), (Ends{48, 50}));
}

TEST_F(ChunkLedgerTest, WhatCouldNotBeSavedIsHandedOutAgain) {
  ChunkLedger ledger = Make(32);
  const auto chunks = ledger.TakeUnsaved(32);
  ledger.MarkSaved(chunks[0], false);
  ledger.MarkSaved(chunks[1], true);
  EXPECT_EQ(ledger.LeadingTokens(), 0);
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(32)), (Ends{16}));
  ledger.MarkSaved(chunks[0], true);
  EXPECT_EQ(ledger.LeadingTokens(), 32);
}

TEST_F(ChunkLedgerTest, WhatWasLostIsHandedOutForSaving) {
  ChunkLedger ledger = Make(50);
  Find(ledger, {16, 32, 48, 50});
  ledger.MarkLost(32);
  EXPECT_EQ(ledger.LeadingTokens(), 32);
  EXPECT_EQ(EndsOf(ledger.TakeUnsaved(50)), (Ends{48, 50}));
}

TEST_F(ChunkLedgerTest, WhatOneSavesAnotherFinds) {
  for (int tokens : {1, 15, 16, 17, 31, 32, 33, 50}) {
    ChunkLedger producer = Make(tokens);
    SaveAll(producer, tokens);
    EXPECT_EQ(producer.LeadingTokens(), tokens);
    // The consumer sees the prompt as it is, and as upstream's proxy sends it: with one token more.
    for (int more : {0, 1}) {
      ChunkLedger consumer = Make(tokens + more, more == 0 ? tokens : -1);
      const auto keys = [](const std::vector<Chunk>& chunks) {
        std::vector<std::string> keys;
        for (const Chunk& chunk : chunks) keys.push_back(chunk.key);
        return keys;
      };
      ChunkLedger saved = Make(tokens);
      const auto saved_keys = keys(saved.TakeUnsaved(tokens));
      std::vector<bool> found;
      for (const std::string& key : keys(consumer.ChunksToLookUp())) {
        found.push_back(std::ranges::count(saved_keys, key) > 0);
      }
      consumer.RecordLookup(found);
      EXPECT_EQ(consumer.LeadingTokens(), tokens) << tokens << " + " << more;
    }
  }
}

}  // namespace
}  // namespace tandem::cache
