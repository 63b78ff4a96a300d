#include "supervisor/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace tandem::supervisor {
namespace {

std::unique_ptr<ChildProcess> StartShell(const std::string& script) {
  auto child = ChildProcess::Start({"/bin/sh", {"-c", script}, {{"GREETING", "hello"}}});
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

bool Readable(int fd) {
  pollfd waited{fd, POLLIN, 0};
  return poll(&waited, 1, 10'000) == 1;
}

TEST(ChildProcess, TellsItsExitCode) {
  auto child = StartShell("exit 7");
  ASSERT_TRUE(Readable(child->exit_fd()));
  EXPECT_EQ(child->Ended(), "exit code 7");
}

TEST(ChildProcess, PassesEnvironmentAndOutput) {
  auto child = StartShell("echo $GREETING there >&2");
  ASSERT_TRUE(Readable(child->output_fd()));
  char text[64] = {};
  ASSERT_GT(read(child->output_fd(), text, sizeof(text) - 1), 0);
  EXPECT_STREQ(text, "hello there\n");
}

TEST(ChildProcess, TellsTheSignalThatEndedIt) {
  auto child = StartShell("while :; do read line < /dev/zero; done");
  child->Signal(SIGKILL);
  ASSERT_TRUE(Readable(child->exit_fd()));
  EXPECT_THAT(*child->Ended(), testing::StartsWith("signal 9"));
}

TEST(ChildProcess, IsGoneAfterItsOwner) {
  auto child = StartShell("while :; do read line < /dev/zero; done");
  const pid_t pid = child->pid();
  EXPECT_EQ(kill(pid, 0), 0);
  child.reset();
  EXPECT_NE(kill(pid, 0), 0);
}

}  // namespace
}  // namespace tandem::supervisor
