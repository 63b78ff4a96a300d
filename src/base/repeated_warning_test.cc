#include "base/repeated_warning.h"

#include <gtest/gtest.h>

#include "base/testing/captured_log.h"

namespace tandem {
namespace {

TEST(RepeatedWarningTest, IsLoggedAtAChangeAndAfterThePeriod) {
  const CapturedLog log;
  FakeClock clock;
  RepeatedWarning warning(clock, std::chrono::seconds(10));
  for (int i = 0; i < 41; ++i) {
    warning.Say("refused");
    clock.Advance(std::chrono::milliseconds(250));
  }
  EXPECT_EQ(log.text(), "refused\nrefused\n");
  warning.Say("timed out");
  warning.Say("refused");
  warning.Say("refused");
  EXPECT_EQ(log.text(), "refused\nrefused\ntimed out\nrefused\n");
}

}  // namespace
}  // namespace tandem
