#include "api/server/bad_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/server/testing/letter_tokenizer.h"

namespace tandem::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Has tokens for a space with the letter behind it, 1000 above the letter's own.
class SpacedTokenizer : public LetterTokenizer {
 public:
  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override {
    if (text.size() < 2 || text.front() != ' ' || text[1] == 'q') {
      return LetterTokenizer::Encode(text, add_special_tokens);
    }
    std::vector<int32_t> ids = LetterTokenizer::Encode(text.substr(1), add_special_tokens);
    ids.front() += 1000;
    return ids;
  }
};

TEST(BadWordTokensTest, BansAWordAtTheStartAndWithin) {
  const auto sequences = BadWordTokens({"ab", " \tc", "ab"}, SpacedTokenizer());
  ASSERT_TRUE(sequences.ok());
  EXPECT_THAT(*sequences, ElementsAre(ElementsAre('a', 'b'), ElementsAre(1000 + 'a', 'b'),
                                      ElementsAre('c'), ElementsAre(1000 + 'c')));
}

TEST(BadWordTokensTest, LeavesOutAFormThatIsLonger) {
  EXPECT_THAT(*BadWordTokens({"q"}, SpacedTokenizer()), ElementsAre(ElementsAre('q')));
}

TEST(BadWordTokensTest, RefusesWordsWithoutTokensAndTooMany) {
  EXPECT_THAT(std::string(BadWordTokens({"a", " "}, SpacedTokenizer()).status().message()),
              HasSubstr("bad_words must have words of at least one token, got \" \""));
  std::vector<std::string> words;
  for (int i = 0; i < 64; ++i) words.push_back(std::string("x") + std::to_string(i));
  EXPECT_TRUE(BadWordTokens(words, SpacedTokenizer()).ok());
  words.push_back("one more");
  EXPECT_THAT(std::string(BadWordTokens(words, SpacedTokenizer()).status().message()),
              HasSubstr("bad_words are 65 words, which make more than the 128 token sequences"));
}

}  // namespace
}  // namespace tandem::api
