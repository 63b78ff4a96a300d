#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace tandem::cli {
namespace {

constexpr Duration kFirst = std::chrono::seconds(1);
constexpr Duration kEvery = std::chrono::milliseconds(200);

}  // namespace

Progress::Progress(std::string what, uint64_t total_bytes)
    : what_(std::move(what)),
      total_(total_bytes),
      terminal_(isatty(STDERR_FILENO) != 0),
      next_(start_ + kFirst) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::Advance(uint64_t bytes) {
  done_ += bytes;
  const TimePoint now = Clock::Real().Now();
  if (!terminal_ || now < next_) return;
  next_ = now + kEvery;
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%s", Line(what_, done_, total_, Seconds(now - start_)).c_str());
}

std::string Progress::Line(const std::string& what, uint64_t done, uint64_t total, double seconds) {
  constexpr double kMegabyte = 1e6;
  std::string line = fmt::format("{} {:.0f} MB", what, double(done) / kMegabyte);
  if (total > 0) {
    line += fmt::format(" of {:.0f} ({:.0f} %)", double(total) / kMegabyte,
                        100 * double(done) / double(total));
  }
  if (seconds > 0) line += fmt::format(", {:.0f} MB/s", double(done) / kMegabyte / seconds);
  if (total > done && done > 0) {
    line += fmt::format(", {:.0f} s left", double(total - done) / (double(done) / seconds));
  }
  return line;
}

}  // namespace tandem::cli
