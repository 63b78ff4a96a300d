#include "cli/pull_progress.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "model/hub/file_selection.h"

namespace tandem::cli {
namespace {

using model::hub::ByteText;
using model::hub::PullProgress;

constexpr Duration kWindow = std::chrono::seconds(5);
constexpr Duration kBarInterval = std::chrono::milliseconds(100);
constexpr Duration kLineInterval = std::chrono::seconds(5);
constexpr size_t kLongestName = 32;
constexpr size_t kLongestBar = 30;
constexpr const char* kClearLine = "\r\033[K";

size_t Columns(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double Fraction(const PullProgress& progress) {
  if (progress.bytes == 0) return 1;
  return static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes);
}

std::string TimeText(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// The end of the name, which tells parts apart; never from the middle of a character.
std::string Shortened(const std::string& name, size_t most) {
  if (name.size() <= most) return name;
  size_t begin = name.size() - (most - 3);
  while (begin < name.size() && (static_cast<unsigned char>(name[begin]) & 0xC0) == 0x80) ++begin;
  return "..." + name.substr(begin);
}

}  // namespace

void TransferRate::Add(TimePoint now, int64_t bytes_done) {
  // A blob that starts over takes bytes back; what was measured before counts no more.
  if (!samples_.empty() && bytes_done < samples_.back().second) samples_.clear();
  samples_.emplace_back(now, bytes_done);
  while (samples_.size() > 2 && now - samples_[1].first >= kWindow) samples_.pop_front();
}

double TransferRate::BytesPerSecond() const {
  if (samples_.size() < 2) return 0;
  const double seconds = Seconds(samples_.back().first - samples_.front().first);
  if (seconds <= 0) return 0;
  return static_cast<double>(samples_.back().second - samples_.front().second) / seconds;
}

std::string ProgressText(const PullProgress& progress, double bytes_per_second) {
  std::string text = fmt::format(
      "{:.0f} %, {} of {}, {} of {} files", std::floor(100 * Fraction(progress)),
      ByteText(progress.bytes_done), ByteText(progress.bytes), progress.files_done, progress.files);
  const int64_t left = progress.bytes - progress.bytes_done;
  if (left > 0 && bytes_per_second >= 1) {
    text += fmt::format(", {}/s, {} left", ByteText(std::llround(bytes_per_second)),
                        TimeText(static_cast<double>(left) / bytes_per_second));
  }
  return text;
}

std::string ProgressBar(const PullProgress& progress, double bytes_per_second, size_t columns) {
  const std::string text = ProgressText(progress, bytes_per_second);
  const std::string name = Shortened(progress.file, kLongestName);
  // Two brackets and a space; the name and a space.
  const size_t taken = text.size() + 3 + (name.empty() ? 0 : name.size() + 1);
  if (taken + 5 > columns) return text.substr(0, columns);
  const size_t width = std::min(columns - taken, kLongestBar);
  const auto filled = static_cast<size_t>(std::floor(Fraction(progress) * double(width)));
  return fmt::format("{}{}[{}{}] {}", name, name.empty() ? "" : " ", std::string(filled, '#'),
                     std::string(width - filled, '.'), text);
}

void PullProgressPrinter::OnProgress(const PullProgress& progress) {
  const TimePoint now = clock_.Now();
  progress_ = progress;
  rate_.Add(now, progress.bytes_done);
  if (now < next_) return;
  next_ = now + (is_terminal_ ? kBarInterval : kLineInterval);
  if (is_terminal_) {
    // The last column stays free: some terminals begin a new line behind it.
    Print(kClearLine + ProgressBar(progress, rate_.BytesPerSecond(), Columns(fd_) - 1));
    has_bar_ = true;
  } else {
    Print(ProgressText(progress, rate_.BytesPerSecond()) + "\n");
  }
}

void PullProgressPrinter::OnNotice(const std::string& text) {
  Print((has_bar_ ? kClearLine : "") + text + "\n");
  has_bar_ = false;
  if (is_terminal_) next_ = {};
}

void PullProgressPrinter::End() {
  if (progress_.files == 0) return;
  Print((has_bar_ ? kClearLine : "") + ProgressText(progress_, 0) + "\n");
  has_bar_ = false;
}

void PullProgressPrinter::Print(const std::string& text) {
  pollfd out{.fd = fd_, .events = POLLOUT};
  if (poll(&out, 1, 0) <= 0 || (out.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const ssize_t written = write(fd_, text.data(), text.size());
}

}  // namespace tandem::cli
