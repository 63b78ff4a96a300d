#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include <random>
#include <tuple>

namespace tandem::engine {
namespace {

TEST(StopStringsTest, HoldsBackWhatMayBecomeAStopString) {
  const std::vector<std::string> stop = {"###", "end"};
  StopStrings strings(stop, false);
  EXPECT_EQ(strings.Append("ab#", true), "ab");
  EXPECT_EQ(strings.Append("#c", true), "##c");
  EXPECT_EQ(strings.Append("en", true), "");
  EXPECT_EQ(strings.Append("e", true), "en");
  EXPECT_FALSE(strings.matched());
  EXPECT_EQ(strings.Flush(), "e");
}

TEST(StopStringsTest, CutsAtTheFirstStopString) {
  const std::vector<std::string> stop = {"end", "###"};
  StopStrings strings(stop, false);
  EXPECT_EQ(strings.Append("a#", true), "a");
  EXPECT_EQ(strings.Append("## end", true), "");
  EXPECT_EQ(strings.matched(), "###");
}

TEST(StopStringsTest, OneWithinAnotherEndsTheTextHoweverItIsCut) {
  const std::vector<std::string> stop = {"abcd", "bc", "zbc"};
  for (const auto& [text, shown, matched] :
       {std::tuple("xabcdx", "xa", "bc"), std::tuple("xzbcdx", "x", "zbc")}) {
    const std::string whole = text;
    for (unsigned cuts = 0; cuts < 1u << (whole.size() - 1); ++cuts) {
      StopStrings strings(stop, false);
      std::string seen, piece;
      for (size_t i = 0; i < whole.size() && !strings.matched(); ++i) {
        piece += whole[i];
        if ((cuts >> i & 1) == 0 && i + 1 < whole.size()) continue;
        seen += strings.Append(piece, true);
        piece.clear();
      }
      EXPECT_EQ(seen, shown) << cuts;
      EXPECT_EQ(strings.matched(), matched) << cuts;
    }
  }
}

TEST(StopStringsTest, IncludesTheStopStringIfAsked) {
  const std::vector<std::string> stop = {"end"};
  StopStrings strings(stop, true);
  EXPECT_EQ(strings.Append("the e", true), "the ");
  EXPECT_EQ(strings.Append("nd of it", true), "end");
}

TEST(StopStringsTest, PassesStopStringsThatEndBeforeItMayStop) {
  const std::vector<std::string> stop = {"end"};
  StopStrings strings(stop, false);
  EXPECT_EQ(strings.Append("end e", false), "end ");
  EXPECT_EQ(strings.Append("nd", true), "");
  EXPECT_EQ(strings.matched(), "end");
}

TEST(StopStringsTest, NothingShownEverHoldsAStopString) {
  std::mt19937 random(1);
  const std::vector<std::string> stop = {"aab", "ba", "bbbb"};
  for (int round = 0; round < 2000; ++round) {
    StopStrings strings(stop, false);
    std::string fed;
    std::string shown;
    while (!strings.matched() && fed.size() < 40) {
      std::string piece;
      for (int i = static_cast<int>(random() % 3); i >= 0; --i) piece += "abc"[random() % 3];
      fed += piece;
      shown += strings.Append(piece, true);
    }
    size_t first = std::string::npos;
    for (const std::string& s : stop) first = std::min(first, fed.find(s));
    if (!strings.matched()) shown += strings.Flush();
    EXPECT_EQ(shown, fed.substr(0, first));
    EXPECT_EQ(strings.matched().has_value(), first != std::string::npos);
  }
}

}  // namespace
}  // namespace tandem::engine
