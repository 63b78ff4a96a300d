#include "cli/accepted_value.h"

#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

/// What becomes of a text: the value, or the complaint.
std::string Read(const CLI::Validator& check, std::string text) {
  const std::string complaint = check(text);
  return complaint.empty() ? text : complaint;
}

TEST(AcceptedValue, WholeNumbersAreWithinTheirBounds) {
  const CLI::Validator check = WholeNumber(1, 64);
  EXPECT_EQ(Read(check, "64"), "64");
  EXPECT_EQ(Read(check, "010"), "10");
  for (const char* wrong : {"0", "65", "-1", "x", "", "1.5", "0x10", "99999999999999999999"}) {
    EXPECT_EQ(Read(check, wrong),
              "'" + std::string(wrong) + "' is not accepted; it takes a whole number from 1 to 64");
  }
}

TEST(AcceptedValue, BoundsThatNobodyMeetsAreNotSaid) {
  EXPECT_EQ(Read(WholeNumber(0, INT64_MAX), "x"),
            "'x' is not accepted; it takes a whole number of at least 0");
  EXPECT_EQ(Read(WholeNumber(16, 16), "32"), "'32' is not accepted; it takes only 16");
}

TEST(AcceptedValue, NumbersMayHaveDecimals) {
  EXPECT_EQ(Read(Number(0.01, 3600), "0.5"), "0.5");
  for (const char* wrong : {"soon", "nan", "inf", "0", "3601"}) {
    EXPECT_EQ(Read(Number(0.01, 3600), wrong),
              "'" + std::string(wrong) + "' is not accepted; it takes a number from 0.01 to 3600");
  }
}

TEST(AcceptedValue, PortsAreOfSixteenBits) {
  EXPECT_EQ(Read(Port(), "0"), "0");
  EXPECT_EQ(Read(Port(), "65536"),
            "'65536' is not accepted; it takes a port number from 0 to 65535");
  EXPECT_EQ(Read(Port(1), "0"), "'0' is not accepted; it takes a port number from 1 to 65535");
}

TEST(AcceptedValue, TokensMayBeCountedInThousands) {
  EXPECT_EQ(Read(TokenCount(), "2K"), "2048");
  EXPECT_EQ(Read(TokenCount(), "2k"), "2000");
  for (const char* wrong : {"abc", "0", "K", "2m", "9999999K"}) {
    EXPECT_EQ(Read(TokenCount(), wrong),
              "'" + std::string(wrong) +
                  "' is not accepted; it takes a whole number of at least "
                  "1, or one with k (1000) or K (1024)");
  }
}

TEST(AcceptedValue, SizesBecomeBytes) {
  EXPECT_EQ(Read(ByteSize(), "4GB"), "4294967296");
  EXPECT_EQ(Read(ByteSize(), "1.5MiB"), "1572864");
  EXPECT_EQ(Read(ByteSize(), "64k"), "65536");
  EXPECT_EQ(Read(ByteSize(), "lots"),
            "'lots' is not accepted; it takes a number of bytes, or a "
            "number with kb, mb, gb or tb");
  EXPECT_EQ(Read(ByteSize(1), "0"),
            "'0' is not accepted; it takes at least 1: a number of bytes, "
            "or a number with kb, mb, gb or tb");
}

TEST(AcceptedValue, ChoicesAreListed) {
  EXPECT_EQ(Read(OneOf({"fcfs", "priority"}), "priority"), "priority");
  EXPECT_EQ(Read(OneOf({"fcfs", "priority"}), "lifo"),
            "'lifo' is not accepted; it takes fcfs or priority");
}

}  // namespace
}  // namespace tandem::cli
