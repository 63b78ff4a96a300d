#pragma once

#include <string>

#include "base/clock.h"
#include "transfer/socket_address.h"

namespace tandem::transfer {

/// The name of the network interface that has this address; empty if none of this host's has.
std::string InterfaceOf(const SocketAddress& address);

/// Waits until an interface can carry data: the system says so up to a second after it was set up.
/// Returns whether it can by `deadline`.
bool WaitUntilRunning(const std::string& interface, TimePoint deadline);

}  // namespace tandem::transfer
