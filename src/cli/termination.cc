#include "cli/termination.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace tandem::cli {

namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Termination::Termination() {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
}

Termination::~Termination() { close(fd_); }

void Termination::Wait() {
  pollfd waited{fd_, POLLIN, 0};
  while (poll(&waited, 1, -1) < 0 && errno == EINTR) {
  }
}

void Termination::EndProcessAtNextSignal() {
  signalfd_siginfo taken;
  if (read(fd_, &taken, sizeof(taken)) < 0) return;
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace tandem::cli
