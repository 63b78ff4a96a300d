#include "cli/gflags_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using testing::HasSubstr;

class GflagsParserTest : public testing::Test {
 protected:
  GflagsParserTest() {
    parser_.AddBool("enable_ha", &enable_ha_, "several masters");
    parser_.AddBool("evict", &evict_, "evict objects");
    parser_.AddInt("v", 0, 10, &verbosity_, "verbosity");
    parser_.AddMilliseconds("ttl", 86'400'000, &ttl_ms_, "how long");
    parser_.AddPort("rpc_port", &port_, "port for calls");
    parser_.AddDouble("ratio", 0, 1, &ratio_, "share");
    parser_.AddString("notes", &notes_, "anything");
    parser_.AddChoice("strategy", {"random", "local_first"}, &strategy_, "where to");
  }

  std::string ErrorOf(const Arguments& arguments) {
    const absl::Status status = parser_.Parse(arguments);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << arguments.back();
    return std::string(status.message());
  }

  bool enable_ha_ = false;
  bool evict_ = true;
  int64_t verbosity_ = 0;
  int64_t ttl_ms_ = 10'000;
  int port_ = 50051;
  double ratio_ = 0.05;
  std::string notes_ = "none";
  std::string strategy_ = "random";
  GflagsParser parser_;
};

TEST_F(GflagsParserTest, TakesOneOrTwoDashesAndEqualsOrSpace) {
  ASSERT_TRUE(parser_.Parse({"-v=1", "--rpc_port", "7", "-ratio", "0.5", "--notes=a=b"}).ok());
  EXPECT_EQ(verbosity_, 1);
  EXPECT_EQ(port_, 7);
  EXPECT_EQ(ratio_, 0.5);
  EXPECT_EQ(notes_, "a=b");
}

TEST_F(GflagsParserTest, TakesASpaceAfterAShortFlag) {
  ASSERT_TRUE(parser_.Parse({"-v", "2"}).ok());
  EXPECT_EQ(verbosity_, 2);
}

TEST_F(GflagsParserTest, TakesDashesForUnderscores) {
  ASSERT_TRUE(parser_.Parse({"--rpc-port=9", "--enable-ha"}).ok());
  EXPECT_EQ(port_, 9);
  EXPECT_TRUE(enable_ha_);
  EXPECT_TRUE(parser_.IsSet("enable_ha"));
  EXPECT_FALSE(parser_.IsSet("evict"));
}

TEST_F(GflagsParserTest, TakesBooleansInEveryForm) {
  ASSERT_TRUE(parser_.Parse({"--enable_ha", "--noevict"}).ok());
  EXPECT_TRUE(enable_ha_);
  EXPECT_FALSE(evict_);
  ASSERT_TRUE(parser_.Parse({"--enable_ha=false", "-evict=1"}).ok());
  EXPECT_FALSE(enable_ha_);
  EXPECT_TRUE(evict_);
  ASSERT_TRUE(parser_.Parse({"--notes=x", "--enable_ha=True"}).ok());
  EXPECT_TRUE(enable_ha_);
  EXPECT_EQ(notes_, "x");
}

TEST_F(GflagsParserTest, TakesTimesWithAndWithoutAUnit) {
  const std::pair<const char*, int64_t> times[] = {{"0", 0},
                                                   {"5", 5},
                                                   {"05", 5},
                                                   {"5ms", 5},
                                                   {"5s", 5'000},
                                                   {"2m", 120'000},
                                                   {"24h", 86'400'000},
                                                   {"86400000", 86'400'000},
                                                   {"5MS", 5},
                                                   {"5S", 5'000},
                                                   {"1H", 3'600'000},
                                                   {"5 s", 5'000},
                                                   {" 5s", 5'000},
                                                   {"5s ", 5'000},
                                                   {"0h", 0}};
  for (const auto& [text, milliseconds] : times) {
    ttl_ms_ = -1;
    ASSERT_TRUE(parser_.Set("ttl", text).ok()) << text;
    EXPECT_EQ(ttl_ms_, milliseconds) << text;
  }
}

TEST_F(GflagsParserTest, SaysWhichTimesItTakes) {
  EXPECT_EQ(
      ErrorOf({"--ttl=1.5s"}),
      "--ttl=1.5s: not a time in whole ms, s, m or h (ms where none is named), in milliseconds "
      "0 to 86400000");
  for (const char* text : {"",
                           " ",
                           "s",
                           "-5",
                           "+5",
                           "-5s",
                           "5.0",
                           ".5s",
                           "1e3",
                           "0x10",
                           "5d",
                           "5us",
                           "5sec",
                           "5min",
                           "1h30m",
                           "5 5",
                           "s5",
                           "25h",
                           "86400001",
                           "99999999999999999999",
                           "9223372036854775807h"}) {
    EXPECT_THAT(ErrorOf({std::string("--ttl=") + text}), HasSubstr(std::string("--ttl=") + text));
    EXPECT_EQ(ttl_ms_, 10'000) << text;
  }
}

TEST_F(GflagsParserTest, LetsTheLastOfTwoCount) {
  ASSERT_TRUE(parser_.Parse({"--v=1", "--v=3"}).ok());
  EXPECT_EQ(verbosity_, 3);
}

TEST_F(GflagsParserTest, TakesAnEmptyTextAndANegativeValue) {
  ASSERT_TRUE(parser_.Parse({"--notes="}).ok());
  EXPECT_EQ(notes_, "");
  EXPECT_THAT(ErrorOf({"--v", "-1"}), HasSubstr("--v=-1: not a whole number 0 to 10"));
}

TEST_F(GflagsParserTest, TellsAWrongValueAndWhatIsAccepted) {
  EXPECT_EQ(ErrorOf({"--rpc_port=abc"}), "--rpc_port=abc: not a port number 0 to 65535");
  EXPECT_THAT(ErrorOf({"--rpc_port=65536"}), HasSubstr("65536: not a port"));
  EXPECT_THAT(ErrorOf({"--ratio=1.5"}), HasSubstr("--ratio=1.5: not a number 0 to 1"));
  EXPECT_THAT(ErrorOf({"--ratio=nan"}), HasSubstr("--ratio=nan"));
  EXPECT_THAT(ErrorOf({"--enable_ha=maybe"}), HasSubstr("not true or false"));
  EXPECT_THAT(ErrorOf({"--strategy=fast"}), HasSubstr("one of random, local_first"));
  EXPECT_EQ(port_, 50051);
}

TEST_F(GflagsParserTest, TellsAMissingValue) {
  EXPECT_THAT(ErrorOf({"--rpc_port"}), HasSubstr("--rpc_port lacks its value"));
}

TEST_F(GflagsParserTest, SuggestsTheNearestFlag) {
  EXPECT_EQ(ErrorOf({"--rpc_prot=1"}), "unknown flag 'rpc_prot'; did you mean rpc_port?");
  EXPECT_EQ(ErrorOf({"--zzz=1"}), "unknown flag 'zzz'");
  EXPECT_THAT(ErrorOf({"--nov"}), HasSubstr("unknown flag 'nov'"));
}

TEST_F(GflagsParserTest, RefusesWhatIsNoFlag) {
  for (const char* argument : {"master", "", "-", "--", "true"}) {
    EXPECT_THAT(ErrorOf({"--enable_ha", argument}), HasSubstr("is not a flag"));
  }
}

TEST_F(GflagsParserTest, SetsByName) {
  ASSERT_TRUE(parser_.Set("rpc_port", "3").ok());
  EXPECT_EQ(port_, 3);
  EXPECT_THAT(std::string(parser_.Set("rpc_prot", "3").message()), HasSubstr("rpc_port"));
}

TEST_F(GflagsParserTest, KnowsWhatDiffersFromTheDefault) {
  ASSERT_TRUE(parser_.Parse({"--enable_ha=false", "--noevict", "--notes=none", "--v=1"}).ok());
  EXPECT_FALSE(parser_.IsChanged("enable_ha"));
  EXPECT_TRUE(parser_.IsSet("enable-ha"));
  EXPECT_TRUE(parser_.IsChanged("evict"));
  EXPECT_FALSE(parser_.IsChanged("notes"));
  EXPECT_TRUE(parser_.IsChanged("v"));
}

TEST_F(GflagsParserTest, TellsEveryFlagInItsHelp) {
  ASSERT_TRUE(parser_.Parse({"--help"}).ok());
  EXPECT_TRUE(parser_.help_asked());
  for (const char* text : {"--rpc_port", "50051", "--strategy", "one of random, local_first"}) {
    EXPECT_THAT(parser_.Help(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace tandem::cli
