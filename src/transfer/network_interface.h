#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "transfer/socket_address.h"

namespace tandem::transfer {

/// The name of the network interface that has this address; empty if none of this host's has.
std::string InterfaceOf(const SocketAddress& address);

/// That of `hostname`, by which others are to reach this process, waiting a bounded time until
/// the interface can carry data. InvalidArgument if it is no name or address; Unavailable if the
/// interface is down.
absl::StatusOr<std::string> WaitForInterfaceOf(const std::string& hostname);

/// Whether connections to `address` end at this host: it has an interface with it, or it is a
/// loopback address.
bool IsOfThisHost(const SocketAddress& address);

/// What to warn of if `hostname`, by which other hosts are to reach this one, is somewhere else;
/// empty if it is here. Address translation may make it right after all.
std::string ForeignHostnameWarning(const std::string& hostname);

/// Waits until an interface can carry data: the system says so up to a second after it was set up.
/// Returns whether it can by `deadline`.
bool WaitUntilRunning(const std::string& interface, TimePoint deadline);

}  // namespace tandem::transfer
