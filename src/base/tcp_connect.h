#pragma once

#include <string>

#include "base/clock.h"
#include "base/scoped_fd.h"

namespace tandem {

/// A socket connected to a port of a host (a name, or an address without brackets) that never
/// blocks; an invalid one if the host is not known or did not take the connection by `deadline`.
ScopedFd ConnectTcp(const std::string& host, int port, TimePoint deadline);

}  // namespace tandem
