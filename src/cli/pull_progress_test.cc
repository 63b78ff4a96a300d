#include "cli/pull_progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/scoped_fd.h"

namespace tandem::cli {
namespace {

using model::hub::PullProgress;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

const PullProgress kHalf{.files = 4,
                         .files_done = 1,
                         .bytes = 2'000'000'000,
                         .bytes_done = 1'000'000'000,
                         .file = "model-00001-of-00002.safetensors"};

TEST(ProgressText, TellsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressText(kHalf, 10e6),
            "50 %, 1.0 GB of 2.0 GB, 1 of 4 files, 10.0 MB/s, 1:40 left");
  EXPECT_EQ(ProgressText(kHalf, 0), "50 %, 1.0 GB of 2.0 GB, 1 of 4 files");
  EXPECT_THAT(ProgressText(kHalf, 200'000), HasSubstr("1:23:20 left"));
}

TEST(ProgressText, SaysAllOnlyOfAll) {
  PullProgress progress = kHalf;
  progress.bytes_done = progress.bytes - 1;
  EXPECT_THAT(ProgressText(progress, 0), HasSubstr("99 %"));
  EXPECT_THAT(ProgressText({.files = 1, .files_done = 1}, 0), HasSubstr("100 %"));
}

TEST(ProgressBar, FitsTheTerminal) {
  for (const size_t columns : {10, 40, 80, 100, 120, 300}) {
    const std::string bar = ProgressBar(kHalf, 10e6, columns);
    EXPECT_LE(bar.size(), columns) << bar;
  }
  EXPECT_THAT(ProgressBar(kHalf, 0, 200),
              HasSubstr("model-00001-of-00002.safetensors [###############...............] 50 %"));
}

TEST(TransferRate, ForgetsWhatIsLongAgo) {
  TransferRate rate;
  const TimePoint start{};
  EXPECT_EQ(rate.BytesPerSecond(), 0);
  rate.Add(start, 0);
  rate.Add(start + seconds(1), 100);
  EXPECT_DOUBLE_EQ(rate.BytesPerSecond(), 100);
  for (int i = 2; i <= 20; ++i) rate.Add(start + seconds(i), 100 + 1000 * (i - 1));
  EXPECT_DOUBLE_EQ(rate.BytesPerSecond(), 1000);
  rate.Add(start + seconds(21), 50);
  EXPECT_EQ(rate.BytesPerSecond(), 0);
}

class PullProgressPrinterTest : public ::testing::Test {
 protected:
  PullProgressPrinterTest() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read_ = ScopedFd(ends[0]);
    write_ = ScopedFd(ends[1]);
  }

  std::string Shown() {
    std::string text(1 << 16, '\0');
    const ssize_t count = read(read_.get(), text.data(), text.size());
    text.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return text;
  }

  ScopedFd read_, write_;
  FakeClock clock_;
};

TEST_F(PullProgressPrinterTest, PrintsALineNowAndThenIntoAPipe) {
  PullProgressPrinter printer(write_.get(), false, clock_);
  printer.OnProgress(kHalf);
  EXPECT_THAT(Shown(), ::testing::EndsWith("files\n"));
  clock_.Advance(seconds(4));
  printer.OnProgress(kHalf);
  EXPECT_EQ(Shown(), "");
  clock_.Advance(seconds(1));
  printer.OnProgress(kHalf);
  EXPECT_THAT(Shown(), HasSubstr("50 %"));
  printer.OnNotice("the notice");
  EXPECT_EQ(Shown(), "the notice\n");
  printer.End();
  EXPECT_THAT(Shown(), ::testing::Not(HasSubstr("\r")));
}

TEST_F(PullProgressPrinterTest, DrawsABarInPlaceOnATerminal) {
  PullProgressPrinter printer(write_.get(), true, clock_);
  printer.OnProgress(kHalf);
  EXPECT_THAT(Shown(), ::testing::AllOf(::testing::StartsWith("\r"), HasSubstr("[")));
  clock_.Advance(milliseconds(100));
  printer.OnProgress(kHalf);
  EXPECT_THAT(Shown(), ::testing::Not(HasSubstr("\n")));
  printer.OnNotice("the notice");
  EXPECT_EQ(Shown(), "\r\033[Kthe notice\n");
}

TEST_F(PullProgressPrinterTest, DoesNotWaitForAReader) {
  const std::string filler(4096, 'x');
  while (write(write_.get(), filler.data(), filler.size()) > 0) {
  }
  // A write would wait now.
  fcntl(write_.get(), F_SETFL, 0);
  PullProgressPrinter printer(write_.get(), false, clock_);
  printer.OnProgress(kHalf);
  printer.OnNotice("the notice");
  printer.End();
}

}  // namespace
}  // namespace tandem::cli
