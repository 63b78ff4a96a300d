#include "model/tokenizer/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<std::pair<std::string, int32_t>> Sections(std::vector<AddedToken> tokens,
                                                      std::string_view text) {
  std::vector<std::pair<std::string, int32_t>> sections;
  AddedTokens(std::move(tokens), Normalization::kNfc)
      .ForEachSection(text, [&](const TextSection& section) {
        sections.emplace_back(section.text, section.added_token);
      });
  return sections;
}

TEST(AddedTokens, CutsTokensOut) {
  EXPECT_THAT(
      Sections({{.id = 7, .content = "<s>"}}, "<s>a<s><s>b"),
      ElementsAre(Pair("<s>", 7), Pair("a", -1), Pair("<s>", 7), Pair("<s>", 7), Pair("b", -1)));
}

TEST(AddedTokens, PrefersTheLongestToken) {
  EXPECT_THAT(Sections({{.id = 1, .content = "<a"}, {.id = 2, .content = "<ab>"}}, "<ab><a>"),
              ElementsAre(Pair("<ab>", 2), Pair("<a", 1), Pair(">", -1)));
}

TEST(AddedTokens, TakesWhiteSpaceWithThem) {
  EXPECT_THAT(Sections({{.id = 1, .content = "<m>", .strip_left = true, .strip_right = true}},
                       "a \u00a0<m>\n b"),
              ElementsAre(Pair("a", -1), Pair(" \u00a0<m>\n ", 1), Pair("b", -1)));
  EXPECT_THAT(
      Sections({{.id = 1, .content = "<m>", .strip_left = true, .strip_right = true}}, "<m> <m>"),
      ElementsAre(Pair("<m> ", 1), Pair("<m>", 1)));
}

TEST(AddedTokens, LeavesWordsWhole) {
  EXPECT_THAT(Sections({{.id = 1, .content = "in", .single_word = true}}, "in inner été-in"),
              ElementsAre(Pair("in", 1), Pair(" inner été-", -1), Pair("in", 1)));
}

TEST(AddedTokens, LooksForNormalizedTokensInNormalizedText) {
  const std::string composed = "\u00e9";
  const std::string decomposed = "e\u0301";
  EXPECT_THAT(Sections({{.id = 1, .content = decomposed, .normalized = true}}, "x" + decomposed),
              ElementsAre(Pair("x", -1), Pair(composed, 1)));
  EXPECT_THAT(Sections({{.id = 1, .content = composed}}, "x" + decomposed),
              ElementsAre(Pair("x" + composed, -1)));
}

}  // namespace
}  // namespace tandem::model
