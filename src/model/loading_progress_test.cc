#include "model/loading_progress.h"

#include <gtest/gtest.h>

#include "base/testing/captured_log.h"

namespace tandem::model {
namespace {

TEST(LoadingProgressTest, TellsEveryTwoSeconds) {
  const CapturedLog log;
  FakeClock clock;
  LoadingProgress progress(28, clock);
  for (int layer = 1; layer <= 28; ++layer) {
    clock.Advance(std::chrono::milliseconds(190));
    progress.Reached(layer);
  }
  EXPECT_EQ(log.text(),
            "prepared the weights of 11 of 28 layers\n"
            "prepared the weights of 22 of 28 layers\n");
}

TEST(LoadingProgressTest, SaysNothingOfAShortLoad) {
  const CapturedLog log;
  FakeClock clock;
  LoadingProgress progress(2, clock);
  progress.Reached(1);
  clock.Advance(LoadingProgress::kInterval - std::chrono::milliseconds(1));
  progress.Reached(2);
  EXPECT_EQ(log.text(), "");
}

}  // namespace
}  // namespace tandem::model
