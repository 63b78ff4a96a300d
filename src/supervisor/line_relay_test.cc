#include "supervisor/line_relay.h"

#include <gtest/gtest.h>

namespace tandem::supervisor {
namespace {

TEST(LineRelay, PrefixesWholeLinesOnly) {
  LineRelay relay("master | ");
  EXPECT_EQ(relay.Append("one\ntw"), "master | one\n");
  EXPECT_EQ(relay.Append("o\n"), "master | two\n");
  EXPECT_EQ(relay.Flush(), "");
}

TEST(LineRelay, GivesTheUnfinishedLineAtTheEnd) {
  LineRelay relay("> ");
  EXPECT_EQ(relay.Append("last words"), "");
  EXPECT_EQ(relay.Flush(), "> last words\n");
}

TEST(LineRelay, DoesNotHoldBackAnEndlessLine) {
  LineRelay relay("> ");
  EXPECT_EQ(relay.Append(std::string(1 << 20, 'x')).size(), (1u << 20) + 3);
}

}  // namespace
}  // namespace tandem::supervisor
