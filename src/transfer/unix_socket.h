#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/scoped_fd.h"

namespace tandem::transfer {

/// Packet sockets (SOCK_SEQPACKET) in Linux's abstract namespace: they have no file that could be
/// left behind, and reach exactly as far as the network namespace. Names are printed with a leading
/// '@'.

/// Listens, without blocking, under a name of its own, which goes to `name`.
absl::StatusOr<ScopedFd> ListenOnUnixSocket(std::string* name);

/// InvalidArgument unless `name` starts with '@'; NotFound if nobody listens there: such a name
/// ends with its process. DeadlineExceeded if whoever listens does not take the connection.
absl::StatusOr<ScopedFd> ConnectToUnixSocket(const std::string& name, TimePoint deadline);

/// Whether the process at the other end runs under this process's user.
bool PeerIsSameUser(const ScopedFd& socket);

/// Sends one packet without waiting, with a copy of descriptor `fd` unless that is -1. Unavailable
/// if the socket is broken, ResourceExhausted if it is full.
absl::Status SendPacket(const ScopedFd& socket, std::span<const std::byte> packet, int fd = -1);

/// As SendPacket, but waits for room until `deadline`: DeadlineExceeded then.
absl::Status SendPacketBy(TimePoint deadline, const ScopedFd& socket,
                          std::span<const std::byte> packet);

/// Waits awake for a packet, as long as an answer that comes at once takes, and no longer.
void AwaitPromptPacket(const ScopedFd& socket, TimePoint deadline);

/// Receives one packet into `buffer`, by `deadline`, and what descriptor came with it into `fd`
/// (which may be null). Returns its length; Unavailable once the other end has closed.
absl::StatusOr<size_t> ReceivePacket(const ScopedFd& socket, std::span<std::byte> buffer,
                                     TimePoint deadline, ScopedFd* fd = nullptr);

}  // namespace tandem::transfer
