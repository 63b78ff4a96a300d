#pragma once

#include <netdb.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tandem {

/// Addresses of a host, the one to be tried first at the head, as getaddrinfo gives them.
using HostAddresses = std::shared_ptr<const addrinfo>;

/// What getaddrinfo does, for tests.
using AddressLookup =
    std::function<int(const char* host, const char* port, const addrinfo* hints, addrinfo** found)>;

/// What a name service has for an answer where nothing else sets a limit.
inline constexpr Duration kNameServiceTime = std::chrono::seconds(5);

/// Looks up a host's name or address, without brackets, and a port for streams. An address is known
/// at once. A name is asked for on a thread of its own, which at `deadline` is left to itself,
/// since name services take as long as they like. InvalidArgument, with the reason, for what is no
/// name or address; DeadlineExceeded. Safe for use by several threads.
absl::StatusOr<HostAddresses> LookUpHost(const std::string& host, int port, TimePoint deadline,
                                         const AddressLookup& lookup = &getaddrinfo);

}  // namespace tandem
