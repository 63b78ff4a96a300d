#include "base/durable_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "base/scoped_fd.h"

namespace tandem {
namespace {

TEST(DurableFile, WritesMoreThanOneWriteTakes) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const ScopedFd from(ends[0]);
  ScopedFd to(ends[1]);
  const std::string text(1 << 20, 'x');  // a pipe holds 64 KiB
  std::string arrived;
  std::thread reader([&] {
    char buffer[1000];
    for (ssize_t size; (size = read(from.get(), buffer, sizeof(buffer))) > 0;) {
      arrived.append(buffer, static_cast<size_t>(size));
    }
  });
  EXPECT_TRUE(WriteAll(to.get(), std::as_bytes(std::span(text))));
  to.Reset();
  reader.join();
  EXPECT_EQ(arrived, text);
}

TEST(DurableFile, SaysWhyItCannotWrite) {
  const ScopedFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  const std::string text = "text";
  EXPECT_FALSE(WriteAll(full.get(), std::as_bytes(std::span(text))));
  EXPECT_EQ(errno, ENOSPC);
}

TEST(DurableFile, SyncsADirectory) {
  EXPECT_TRUE(SyncDirectory(::testing::TempDir()));
  EXPECT_FALSE(SyncDirectory("/not/there"));
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace tandem
