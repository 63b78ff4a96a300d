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

  /// Reads until `text` has come.
  std::string ReadUntil(const std::string& text) {
    std::string all;
    pollfd waited{read_end_.get(), POLLIN, 0};
    char part[4096];
    while (all.find(text) == std::string::npos && poll(&waited, 1, 10'000) == 1) {
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
  const std::string line(1023, 'x');
  // More than the pipe and the pending text hold together.
  for (int i = 0; i < 3000; ++i) printer.Print(line + "\n");
  EXPECT_THAT(ReadUntil("stood still\n"), testing::ContainsRegex("[0-9]+ lines were dropped"));
}

}  // namespace
}  // namespace tandem::supervisor
