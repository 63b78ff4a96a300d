#include "model/tokenizer/score_merges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Ids are positions in `tokens`; the texts are of single bytes that are tokens.
std::vector<int32_t> Encode(std::span<const std::string_view> tokens,
                            std::span<const double> scores, std::string_view text) {
  TokenIds ids;
  for (size_t i = 0; i < tokens.size(); ++i) ids.emplace(tokens[i], static_cast<int32_t>(i));
  std::array<int32_t, 256> bytes;
  bytes.fill(-1);
  for (const auto& [token, id] : ids) {
    if (token.size() == 1) bytes[static_cast<uint8_t>(token[0])] = id;
  }
  std::vector<int32_t> encoded;
  BytePairEncoder(bytes, ScoreMerges(ids, scores)).Encode(text, &encoded);
  return encoded;
}

TEST(ScoreMerges, MergesTheHighestScoreFirst) {
  const std::string_view tokens[] = {"a", "b", "c", "ab", "bc", "abc"};
  EXPECT_THAT(Encode(tokens, std::array<double, 6>{0, 0, 0, -2, -1, -3}, "abcbcab"),
              ElementsAre(5, 4, 3));
  EXPECT_THAT(Encode(tokens, std::array<double, 6>{0, 0, 0, -1, -2, -9}, "abc"), ElementsAre(5));
  EXPECT_THAT(Encode(tokens, std::array<double, 6>{0, 0, 0, 2, 1, -9}, "abbc"), ElementsAre(3, 4));
}

/// However a token is put together, it is merged at the leftmost place.
TEST(ScoreMerges, MergesFromTheLeftWhereScoresAreEqual) {
  const std::string_view tokens[] = {"a", "b", "ab", "ba", "aba"};
  EXPECT_THAT(Encode(tokens, std::array<double, 5>{0, 0, -1, -2, -3}, "ababa"), ElementsAre(2, 4));
  EXPECT_THAT(Encode(tokens, std::array<double, 5>{0, 0, -1, -1, -1}, "baba"), ElementsAre(3, 3));
  EXPECT_THAT(Encode(tokens, std::array<double, 5>{0, 0, -1, -1, -1}, "abab"), ElementsAre(4, 1));
}

TEST(ScoreMerges, CutsBetweenCharacters) {
  TokenIds ids = {{"\xc3", 0}, {"\xa9", 1}, {"\xc3\xa9", 2}, {"", 3}};
  EXPECT_THAT(ScoreMerges(ids, std::array<double, 4>{}), IsEmpty());
}

}  // namespace
}  // namespace tandem::model
