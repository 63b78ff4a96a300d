#pragma once

#include "base/clock.h"

namespace tandem {

/// Waits for what poll calls `events`; false at `deadline`.
bool WaitForSocket(int socket, short events, TimePoint deadline);

}  // namespace tandem
