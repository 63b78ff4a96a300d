#include "model/tokenizer/byte_pair_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::array<int32_t, 256> OneTokenPerByte() {
  std::array<int32_t, 256> tokens;
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

std::vector<int32_t> Encode(const BytePairEncoder& encoder, std::string_view word) {
  std::vector<int32_t> tokens;
  encoder.Encode(word, &tokens);
  return tokens;
}

/// The definition: again and again, the first merge by rank and place.
std::vector<int32_t> EncodeByDefinition(const std::vector<Merge>& merges, std::string_view word) {
  std::vector<int32_t> tokens;
  for (const char c : word) tokens.push_back(static_cast<uint8_t>(c));
  for (size_t rank = 0; rank < merges.size();) {
    const Merge& merge = merges[rank];
    const int32_t pair[] = {merge.left, merge.right};
    const auto found = std::search(tokens.begin(), tokens.end(), std::begin(pair), std::end(pair));
    if (found == tokens.end()) {
      ++rank;
      continue;
    }
    *found = merge.result;
    tokens.erase(found + 1);
    rank = 0;
  }
  return tokens;
}

TEST(BytePairEncoder, MergesTheLowestRankFirst) {
  const std::vector<Merge> merges = {{'b', 'c', 300}, {'a', 'b', 301}, {'a', 300, 302}};
  const BytePairEncoder encoder(OneTokenPerByte(), merges);
  EXPECT_THAT(Encode(encoder, "abc"), ElementsAre(302));
  EXPECT_THAT(Encode(encoder, "abd"), ElementsAre(301, 'd'));
  EXPECT_THAT(Encode(encoder, ""), IsEmpty());
  EXPECT_THAT(Encode(encoder, "z"), ElementsAre('z'));
}

TEST(BytePairEncoder, MergesFromLeftToRight) {
  const BytePairEncoder encoder(OneTokenPerByte(), std::vector<Merge>{{'a', 'a', 300}});
  EXPECT_THAT(Encode(encoder, "aaaaa"), ElementsAre(300, 300, 'a'));
}

TEST(BytePairEncoder, DropsBytesWithoutAToken) {
  std::array<int32_t, 256> tokens = OneTokenPerByte();
  tokens['x'] = -1;
  const BytePairEncoder encoder(tokens, std::vector<Merge>{{'a', 'b', 300}});
  EXPECT_THAT(Encode(encoder, "axb"), ElementsAre(300));
  EXPECT_THAT(Encode(encoder, "x"), IsEmpty());
  EXPECT_THAT(Encode(encoder, std::string(100, 'x')), IsEmpty());
}

TEST(BytePairEncoder, FollowsTheDefinitionForRandomWords) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Merge> merges;
    std::vector<int32_t> known = {'a', 'b', 'c'};
    for (int32_t next = 300; next < 315; ++next) {
      const int32_t left = known[random() % known.size()];
      const int32_t right = known[random() % known.size()];
      const bool taken = std::any_of(merges.begin(), merges.end(), [&](const Merge& merge) {
        return merge.left == left && merge.right == right;
      });
      if (taken) continue;
      merges.push_back({left, right, next});
      known.push_back(next);
    }
    const BytePairEncoder encoder(OneTokenPerByte(), merges);
    for (const size_t size : {5, 20, 48, 49, 200}) {
      std::string word;
      for (size_t i = 0; i < size; ++i) word += static_cast<char>('a' + random() % 3);
      ASSERT_EQ(Encode(encoder, word), EncodeByDefinition(merges, word)) << word;
    }
  }
}

}  // namespace
}  // namespace tandem::model
