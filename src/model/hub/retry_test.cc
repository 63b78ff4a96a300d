#include "model/hub/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "model/hub/failure.h"

namespace tandem::model::hub {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using Broken = HttpOutcome::Broken;

HttpOutcome Answer(int status, std::initializer_list<std::string> fields = {}) {
  HttpOutcome outcome;
  outcome.head.AddLine("HTTP/1.1 " + std::to_string(status) + " text");
  for (const std::string& field : fields) outcome.head.AddLine(field);
  return outcome;
}

HttpOutcome BrokenOff(Broken how) { return {.broken = how, .reason = "the reason"}; }

TEST(RetrySchedule, WaitsTwiceAsLongEachTimeAndGivesUp) {
  RetrySchedule schedule({.attempts = 5, .longest_wait = seconds(3)});
  EXPECT_EQ(schedule.Failed(Answer(503), false), seconds(1));
  EXPECT_EQ(schedule.Failed(BrokenOff(Broken::kMidway), false), seconds(2));
  EXPECT_EQ(schedule.Failed(BrokenOff(Broken::kUnreached), false), seconds(3));
  EXPECT_EQ(schedule.Failed(Answer(200), false), seconds(3));
  EXPECT_EQ(schedule.Failed(Answer(503), false), std::nullopt);
}

TEST(RetrySchedule, StartsOverAfterProgress) {
  RetrySchedule schedule({.attempts = 3});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(schedule.Failed(BrokenOff(Broken::kMidway), true), seconds(1));
  }
}

TEST(RetrySchedule, StaysAwayAsLongAsAskedTo) {
  RetrySchedule schedule({});
  EXPECT_EQ(schedule.Failed(Answer(429, {"Retry-After: 40"}), false), seconds(40));
  EXPECT_EQ(schedule.Failed(Answer(503, {"Retry-After: 0"}), false), seconds(2));
  EXPECT_EQ(schedule.Failed(Answer(429, {"Retry-After: 7200"}), false), std::nullopt);
}

TEST(RetrySchedule, DoesNotRepeatWhatCannotHelp) {
  for (const HttpOutcome& outcome : {Answer(401), Answer(403), Answer(404), Answer(416),
                                     BrokenOff(Broken::kForGood), BrokenOff(Broken::kRefused)}) {
    EXPECT_EQ(RetrySchedule({}).Failed(outcome, true), std::nullopt);
  }
}

TEST(Failure, NamesWhatAndHowToFixIt) {
  const Subject anonymous{.endpoint = "https://hub.example", .model = {"org/name", "v1"}};
  Subject known = anonymous;
  known.has_token = true;
  const auto text = [](const Subject& subject, const HttpOutcome& outcome,
                       const std::string& file = "") {
    return std::string(FailureStatus(subject, file, outcome).message());
  };
  const HttpOutcome gated =
      Answer(401, {"X-Error-Code: GatedRepo", "X-Error-Message: Restricted."});
  EXPECT_THAT(text(anonymous, gated),
              HasSubstr("accept its terms at https://hub.example/org/name"));
  EXPECT_THAT(text(anonymous, gated), HasSubstr("HF_TOKEN"));
  EXPECT_THAT(text(anonymous, gated), HasSubstr("Restricted."));
  EXPECT_THAT(text(known, gated), HasSubstr("the token has no access"));
  EXPECT_THAT(text(anonymous, Answer(401)), HasSubstr("does not exist, or is private or gated"));
  EXPECT_THAT(text(known, Answer(403)), HasSubstr("check the name, and that the token"));
  EXPECT_THAT(text(known, Answer(404, {"X-Error-Code: RepoNotFound"})),
              HasSubstr("has no model \"org/name\""));
  EXPECT_THAT(text(known, Answer(404, {"X-Error-Code: RevisionNotFound"})),
              HasSubstr("org/name has no revision \"v1\"; accepted"));
  EXPECT_THAT(text(known, Answer(404), "w.gguf"), HasSubstr("w.gguf of org/name"));
  EXPECT_THAT(text(anonymous, Answer(429)), HasSubstr("With a token in HF_TOKEN it allows more"));
  EXPECT_THAT(text(known, Answer(503), "w.gguf"), HasSubstr("the server answered 503 for w.gguf"));
  EXPECT_THAT(text(known, BrokenOff(Broken::kUnreached)),
              HasSubstr("cannot reach https://hub.example: the reason; check the network"));
  EXPECT_THAT(text(known, BrokenOff(Broken::kForGood)), HasSubstr("SSL_CERT_FILE"));
  EXPECT_THAT(text(known, BrokenOff(Broken::kMidway)), HasSubstr("the same command goes on"));
  HttpOutcome refused = BrokenOff(Broken::kRefused);
  refused.receiver = absl::ResourceExhaustedError("no space");
  EXPECT_TRUE(absl::IsResourceExhausted(FailureStatus(known, "w.gguf", refused)));
  EXPECT_THAT(text(known, refused, "w.gguf"), HasSubstr("cannot get w.gguf of org/name: no space"));
}

TEST(Failure, LetsNoServerSteerTheTerminal) {
  const Subject subject{.endpoint = "https://hub.example", .model = {"org/name", "main"}};
  HttpOutcome outcome = Answer(500, {"X-Error-Message: red \x1b[31m text"});
  outcome.reason = "{\n\"error\": \"" + std::string(5000, 'x') + "\"}";
  const std::string text(FailureStatus(subject, "", outcome).message());
  EXPECT_THAT(text, ::testing::AllOf(HasSubstr("red  [31m text"), HasSubstr("{ \"error\": \"xxx")));
  EXPECT_EQ(std::count_if(text.begin(), text.end(), absl::ascii_iscntrl), 0);
  EXPECT_LT(text.size(), 600);
  outcome.reason = "<html>a page</html>";
  EXPECT_THAT(std::string(FailureStatus(subject, "", outcome).message()),
              ::testing::Not(HasSubstr("page")));
}

}  // namespace
}  // namespace tandem::model::hub
