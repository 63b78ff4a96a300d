#include "model/tokenizer/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/tokenizer/pre_tokenizer.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Pieces(const Splitter& splitter, std::string_view text) {
  std::vector<std::string_view> pieces;
  splitter.Split(text, &pieces);
  return {pieces.begin(), pieces.end()};
}

std::vector<std::string> RegexPieces(std::string_view pattern, std::string_view text,
                                     SplitBehavior behavior = SplitBehavior::kIsolated,
                                     bool invert = false) {
  const auto splitter = MakeRegexSplitter(pattern, behavior, invert);
  EXPECT_TRUE(splitter.ok()) << splitter.status();
  return Pieces(**splitter, text);
}

TEST(RegexSplitter, SplitsLikeGpt2) {
  EXPECT_THAT(RegexPieces(kGpt2Pattern, "I'll pay  12,50€ now\n\n ok"),
              ElementsAre("I", "'ll", " pay", " ", " 12", ",", "50", "€", " now", "\n\n", " ok"));
}

TEST(RegexSplitter, SplitsLikeQwen2) {
  EXPECT_THAT(RegexPieces(kQwen2Pattern, "SHE'S 12!\n\n x"),
              ElementsAre("SHE", "'S", " ", "1", "2", "!\n\n", " x"));
}

TEST(RegexSplitter, SplitsLikeLlama3) {
  EXPECT_THAT(RegexPieces(kLlama3Pattern, "a 12345"), ElementsAre("a", " ", "123", "45"));
}

TEST(RegexSplitter, KeepsWhatThePatternDoesNotMatch) {
  EXPECT_THAT(RegexPieces("b+", "abbcb"), ElementsAre("a", "bb", "c", "b"));
  EXPECT_THAT(RegexPieces("x*", "ab"), ElementsAre("a", "b"));
}

TEST(RegexSplitter, RemovesMatchesOrWhatIsBetween) {
  EXPECT_THAT(RegexPieces(" ", "a b  c", SplitBehavior::kRemoved), ElementsAre("a", "b", "c"));
  EXPECT_THAT(RegexPieces("[ab]", "axb", SplitBehavior::kRemoved, true), ElementsAre("a", "b"));
}

TEST(RegexSplitter, TakesUnicodesWhiteSpace) {
  EXPECT_THAT(RegexPieces(R"(\s+)", "a\u00a0\u3000b\u180ec"),
              ElementsAre("a", "\u00a0\u3000", "b\u180ec"));
  EXPECT_THAT(RegexPieces(R"([^\s]+)", "a\u0085b"), ElementsAre("a", "\u0085", "b"));
}

TEST(RegexSplitter, SurvivesLongTexts) {
  const std::string text(200'000, 'a');
  EXPECT_THAT(RegexPieces(R"((?:a|b)+)", text), ElementsAre(text));
}

TEST(RegexSplitter, SaysWhereAPatternIsWrong) {
  const auto splitter = MakeRegexSplitter("a(b", SplitBehavior::kIsolated, false);
  EXPECT_THAT(std::string(splitter.status().message()),
              HasSubstr("\"a(b\" is wrong at position 3"));
}

TEST(DigitSplitter, SeparatesDigits) {
  EXPECT_THAT(Pieces(*MakeDigitSplitter(true), "a12 ٣½b"),
              ElementsAre("a", "1", "2", " ", "٣", "½", "b"));
  EXPECT_THAT(Pieces(*MakeDigitSplitter(false), "a12 ٣b"), ElementsAre("a", "12", " ", "٣", "b"));
}

}  // namespace
}  // namespace tandem::model
