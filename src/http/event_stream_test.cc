#include "http/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tandem::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The events of `bytes` fed in pieces of `piece` bytes.
std::vector<std::string> Parse(std::string_view bytes, size_t piece) {
  EventParser parser;
  std::vector<std::string> events;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    EXPECT_TRUE(parser
                    .Feed(bytes.substr(i, piece),
                          [&events](std::string_view data) { events.emplace_back(data); })
                    .ok());
  }
  return events;
}

TEST(EventParserTest, FindsEventsHoweverTheyAreCut) {
  constexpr std::string_view kStream =
      "\xEF\xBB\xBF"
      "data: one\n\n: comment\r\nid: 3\r\ndata: two\r\ndata:  lines\r\n\r\nevent: "
      "x\rdata\rdata:z\r\r"
      "event: nothing\n\ndata: [DONE]\n\ndata: unfinished\n";
  for (size_t piece = 1; piece <= kStream.size(); ++piece) {
    EXPECT_THAT(Parse(kStream, piece), ElementsAre("one", "two\n lines", "\nz", "[DONE]"))
        << "in pieces of " << piece;
  }
}

TEST(EventParserTest, AnEventOverTheLimitIsAnError) {
  EventParser parser(16);
  const auto ignore = [](std::string_view) {};
  EXPECT_TRUE(parser.Feed("data: 123\n\ndata: 45", ignore).ok());
  EXPECT_EQ(parser.Feed("67890123456789", ignore).code(), absl::StatusCode::kResourceExhausted);
}

TEST(EventParserTest, NoEventWithoutData) {
  EXPECT_THAT(Parse("\n\n\nretry: 3\n\n:\n\n", 3), IsEmpty());
}

TEST(FormatEventTest, ParsesBackToTheSameData) {
  EXPECT_EQ(FormatEvent("{}"), "data: {}\n\n");
  for (const char* data : {"a", " leading", "two\nlines", "ends with a line feed\n", "\n"}) {
    EXPECT_THAT(Parse(FormatEvent(data), 1), ElementsAre(data));
  }
}

}  // namespace
}  // namespace tandem::http
