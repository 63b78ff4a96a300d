#include "cli/waiting_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace tandem::cli {

WaitingLine::WaitingLine(std::string what) : what_(std::move(what)) {
  if (isatty(STDERR_FILENO) != 0) thread_ = std::thread([this] { Show(); });
}

WaitingLine::~WaitingLine() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    ended_changed_.NotifyAll();
  }
  thread_.join();
}

void WaitingLine::Show() {
  constexpr Duration kEvery = std::chrono::seconds(1);
  TimePoint next = start_ + kEvery;
  bool shown = false;
  MutexLock lock(mutex_);
  while (!ended_changed_.WaitUntil(mutex_, next,
                                   [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; })) {
    fmt::print(stderr, "\r\033[K{}, {:.0f} s", what_, Seconds(next - start_));
    std::fflush(stderr);
    shown = true;
    next += kEvery;
  }
  if (shown) std::fputs("\r\033[K", stderr);
}

}  // namespace tandem::cli
