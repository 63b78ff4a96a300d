#include "supervisor/line_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "base/scoped_fd.h"

namespace tandem::supervisor {
namespace {

class LinePrinterTest : public testing::Test {
 protected:
  LinePrinterTest() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    read_end_ = ScopedFd(ends[0]);
    write_end_ = ScopedFd(ends[1]);
  }

  /// Waits until there is something to read.
  bool Readable() {
    pollfd waited{read_end_.get(), POLLIN, 0};
    return poll(&waited, 1, 10'000) == 1;
  }

  /// Reads until `text` has come.
  std::string ReadUntil(const std::string& text) {
    std::string all;
    char part[4096];
    while (all.find(text) == std::string::npos && Readable()) {
      const ssize_t length = read(read_end_.get(), part, sizeof(part));
      if (length <= 0) break;
      all.append(part, static_cast<size_t>(length));
    }
    return all;
  }

  ScopedFd read_end_, write_end_;
};

TEST_F(LinePrinterTest, WritesInOrder) {
  LinePrinter printer(write_end_.get());
  printer.Print("one\n");
  printer.Print("two\n");
  EXPECT_EQ(ReadUntil("two\n"), "one\ntwo\n");
}

TEST_F(LinePrinterTest, DropsLinesWhileNobodyReadsAndSaysHowMany) {
  LinePrinter printer(write_end_.get());
  const std::string line = std::string(1023, 'x') + "\n";
  // The writer has to stand in the full pipe before the pending text fills up: so lines are dropped
  // once, and nothing is left to write when the pipe is closed.
  std::string more_than_the_pipe_holds;
  for (int i = 0; i < 500; ++i) more_than_the_pipe_holds += line;
  printer.Print(more_than_the_pipe_holds);
  ASSERT_TRUE(Readable());
  for (int i = 0; i < 3000; ++i) printer.Print(line);
  EXPECT_THAT(ReadUntil("stood still\n"), testing::ContainsRegex("[0-9]+ lines were dropped"));
}

}  // namespace
}  // namespace tandem::supervisor
