#include "supervisor/line_printer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace tandem::supervisor {
namespace {

constexpr size_t kMostPending = 1 << 20;
constexpr Duration kLongestWait = std::chrono::seconds(1);

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

struct LinePrinter::State {
  Mutex mutex;
  CondVar changed;
  std::string pending ABSL_GUARDED_BY(mutex);
  int64_t dropped_lines ABSL_GUARDED_BY(mutex) = 0;
  bool writing ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;

  /// Takes what is pending; false once stopping with nothing left.
  bool Take(std::string& text) {
    MutexLock lock(mutex);
    writing = false;
    changed.NotifyAll();
    const auto woken = [this]()
                           ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping || !pending.empty(); };
    while (!changed.WaitUntil(mutex, Clock::Real().Now() + kLongestWait, woken)) {
    }
    text.clear();
    text.swap(pending);
    if (dropped_lines > 0) {
      absl::StrAppend(&text, "up        | ", dropped_lines,
                      " lines were dropped: the output stood still\n");
      dropped_lines = 0;
    }
    writing = !text.empty();
    return writing;
  }
};

LinePrinter::LinePrinter(int fd) : state_(std::make_shared<State>()) {
  // Detached: a write that never returns must not keep the process from ending.
  std::thread([fd, state = state_] {
    std::string text;
    while (state->Take(text)) WriteAll(fd, text);
  }).detach();
}

LinePrinter::~LinePrinter() {
  MutexLock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.NotifyAll();
  state_->changed.WaitUntil(state_->mutex, Clock::Real().Now() + kLongestWait,
                            [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                              return state_->pending.empty() && !state_->writing;
                            });
}

void LinePrinter::Print(const std::string& lines) {
  MutexLock lock(state_->mutex);
  if (state_->pending.size() + lines.size() > kMostPending) {
    state_->dropped_lines += std::count(lines.begin(), lines.end(), '\n');
    return;
  }
  state_->pending += lines;
  state_->changed.NotifyAll();
}

}  // namespace tandem::supervisor
