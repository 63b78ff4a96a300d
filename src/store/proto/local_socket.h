#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/scoped_fd.h"

namespace tandem::store {

// Calls between processes of one user on one host, over abstract Unix sockets.

/// The names under which a master that listens on `address` and `port` can be there; the one that
/// it takes itself comes first. Empty unless `address` is numeric or "localhost" and belongs to
/// this network namespace.
std::vector<std::string> LocalSocketNames(const std::string& address, int port);

/// A connection to the first of them that a master of this user listens at; invalid if none does.
ScopedFd ConnectLocally(const std::vector<std::string>& names);

/// FailedPrecondition if another process listens under that name.
absl::StatusOr<ScopedFd> ListenLocally(const std::string& name);

/// Whether the other end of a connection is a process of this user.
bool IsOfThisUser(const ScopedFd& socket);

}  // namespace tandem::store
