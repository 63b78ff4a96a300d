#include "base/socket_wait.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace tandem {

bool WaitForSocket(int socket, short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Real().Now());
    pollfd waited{socket, events, 0};
    const int ready =
        poll(&waited, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready == 0 && Clock::Real().Now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace tandem
