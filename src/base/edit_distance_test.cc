#include "base/edit_distance.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(EditDistanceTest, CountsInsertionsDeletionsAndReplacements) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("abc", "abc"), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
  EXPECT_EQ(EditDistance("chunksize", "chunk_size"), 1);
}

TEST(SuggestionTest, NamesTheNearestOrNothing) {
  const std::vector<std::string_view> names = {"chunk_size", "remote_url"};
  EXPECT_EQ(Suggestion("chunk_sise", names), "; did you mean chunk_size?");
  EXPECT_EQ(Suggestion("remote_uri", names), "; did you mean remote_url?");
  EXPECT_EQ(Suggestion("temperature", names), "");
  EXPECT_EQ(Suggestion("", names), "");
}

}  // namespace
}  // namespace tandem
