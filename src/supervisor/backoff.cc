#include "supervisor/backoff.h"

#include <algorithm>

namespace tandem::supervisor {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint Backoff::Died(TimePoint now) {
  if (now - started_ >= seconds(30)) quick_deaths_ = 0;
  const Duration delay = milliseconds(500) * (1 << std::min(quick_deaths_, 5));
  ++quick_deaths_;
  return now + std::min<Duration>(delay, seconds(10));
}

}  // namespace tandem::supervisor
