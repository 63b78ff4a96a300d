#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "base/clock.h"
#include "model/hub/pull_observer.h"

namespace tandem::cli {

/// Bytes a second over the last seconds.
class TransferRate {
 public:
  void Add(TimePoint now, int64_t bytes_done);
  /// 0 until it is known.
  double BytesPerSecond() const;

 private:
  std::deque<std::pair<TimePoint, int64_t>> samples_;
};

/// "43 %, 6.1 GB of 14.2 GB, 2 of 9 files, 112.0 MB/s, 1:12 left".
std::string ProgressText(const model::hub::PullProgress& progress, double bytes_per_second);

/// The text behind a bar and the name of the file that is arriving, in at most `columns` columns.
std::string ProgressBar(const model::hub::PullProgress& progress, double bytes_per_second,
                        size_t columns);

/// Shows a pull on a terminal as a bar that is drawn again in place, elsewhere as a line every five
/// seconds. A descriptor that takes nothing right now gets nothing: the pull never waits for it.
class PullProgressPrinter : public model::hub::PullObserver {
 public:
  /// `fd` stays the caller's.
  PullProgressPrinter(int fd, bool is_terminal, const Clock& clock)
      : fd_(fd), is_terminal_(is_terminal), clock_(clock) {}

  void OnProgress(const model::hub::PullProgress& progress) override;
  void OnNotice(const std::string& text) override;
  /// Shows where it ended, on a line that stays.
  void End();

 private:
  void Print(const std::string& text);

  const int fd_;
  const bool is_terminal_;
  const Clock& clock_;
  TransferRate rate_;
  model::hub::PullProgress progress_;
  TimePoint next_{};
  bool has_bar_ = false;  // on the terminal's current line
};

}  // namespace tandem::cli
