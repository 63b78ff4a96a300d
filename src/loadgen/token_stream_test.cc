#include "loadgen/token_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::loadgen {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const std::string kToken = R"(data: {"choices":[{"text":"a"}]})"
                           "\n\n";
const std::string kUsage =
    R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}})"
    "\n\n";
const std::string kDone = "data: [DONE]\n\n";

class TokenStreamTest : public testing::Test {
 protected:
  void FeedAfter(Duration time, const std::string& bytes) {
    clock_.Advance(time);
    stream_.Feed(bytes, clock_.Now());
  }
  FakeClock clock_;
  TokenStream stream_{clock_.Now()};
};

TEST_F(TokenStreamTest, TakesTimesAndCounts) {
  FeedAfter(milliseconds(30), kToken);
  FeedAfter(milliseconds(5), kToken.substr(0, 10));
  FeedAfter(milliseconds(5), kToken.substr(10));
  FeedAfter(milliseconds(20), kToken + kUsage + kDone);
  stream_.End(absl::OkStatus());
  EXPECT_EQ(stream_.error(), "");
  EXPECT_DOUBLE_EQ(stream_.seconds_to_first_token(), 0.030);
  EXPECT_EQ(stream_.gaps().count(), 2u);
  EXPECT_DOUBLE_EQ(stream_.gaps().Percentile(0), 0.010);
  EXPECT_DOUBLE_EQ(stream_.gaps().Percentile(100), 0.020);
  EXPECT_EQ(stream_.prompt_tokens(), 7);
  EXPECT_EQ(stream_.completion_tokens(), 3);
}

TEST_F(TokenStreamTest, TellsAnErrorInTheStream) {
  FeedAfter(milliseconds(1), kToken + "data: {\"error\":{\"message\":\"gone\"}}\n\n" + kDone);
  stream_.End(absl::OkStatus());
  EXPECT_THAT(stream_.error(), HasSubstr("gone"));
}

TEST_F(TokenStreamTest, TellsABrokenStream) {
  FeedAfter(milliseconds(1), kToken);
  stream_.End(absl::OkStatus());
  EXPECT_THAT(stream_.error(), HasSubstr("without [DONE]"));
}

TEST_F(TokenStreamTest, TellsAConnectionThatBroke) {
  FeedAfter(milliseconds(1), kToken);
  stream_.End(absl::UnavailableError("reset"));
  EXPECT_THAT(stream_.error(), HasSubstr("reset"));
}

TEST_F(TokenStreamTest, TellsAStreamWithoutTokens) {
  FeedAfter(milliseconds(1), kUsage + kDone);
  stream_.End(absl::OkStatus());
  EXPECT_THAT(stream_.error(), HasSubstr("no token"));
}

TEST_F(TokenStreamTest, TellsWhatIsNotJson) {
  FeedAfter(milliseconds(1), "data: {oops\n\n");
  stream_.End(absl::OkStatus());
  EXPECT_THAT(stream_.error(), HasSubstr("oops"));
}

}  // namespace
}  // namespace tandem::loadgen
