#pragma once

#include "base/clock.h"

namespace tandem::transfer {

/// By itself the system lets megabytes of a long message be on their way, for networks that hold as
/// many. Between ends this near to each other a few hundred kilobytes keep the network busy, and
/// the caches hold them between the copies that the kernels make of them.
inline constexpr Duration kNearRoundTrip = std::chrono::microseconds(100);

/// The shortest round trip of a TCP connection so far; Duration::max() if none was measured, or the
/// system does not tell.
Duration ShortestRoundTrip(int socket);

/// Limits the bytes that a connection has on their way if its ends are that near. False if not, or
/// not known to be; they may turn out to be.
bool LimitSendBuffer(int socket);

}  // namespace tandem::transfer
