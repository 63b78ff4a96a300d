#include "cli/progress.h"

#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

TEST(ProgressTest, SaysHowFarItIs) {
  EXPECT_EQ(Progress::Line("reading", 500'000'000, 2'000'000'000, 2),
            "reading 500 MB of 2000 (25 %), 250 MB/s, 6 s left");
  EXPECT_EQ(Progress::Line("reading", 500'000'000, 0, 2), "reading 500 MB, 250 MB/s");
  EXPECT_EQ(Progress::Line("reading", 0, 1'000'000, 0), "reading 0 MB of 1 (0 %)");
}

}  // namespace
}  // namespace tandem::cli
