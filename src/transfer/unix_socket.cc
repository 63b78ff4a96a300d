#include "transfer/unix_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/awake_wait.h"
#include "base/socket_wait.h"

namespace tandem::transfer {
namespace {

sockaddr_un AbstractAddress(const std::string& name, socklen_t* length) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin() + 1, name.end(), address.sun_path + 1);
  *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return address;
}

/// Has whatever waits for room in the socket, connecting included, fail with EAGAIN at `deadline`.
bool LimitSends(int fd, TimePoint deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
  const int64_t microseconds = std::max<int64_t>(1, left.count());  // 0 would be no limit
  const timeval limit{.tv_sec = microseconds / 1'000'000, .tv_usec = microseconds % 1'000'000};
  return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

}  // namespace

absl::StatusOr<ScopedFd> ListenOnUnixSocket(std::string* name) {
  uint64_t unique = 0;
  if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique)) {
    return absl::ErrnoToStatus(errno, "cannot draw a socket's name");
  }
  *name = fmt::format("@tandem-segment-{:016x}", unique);
  ScopedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  socklen_t length = 0;
  const sockaddr_un address = AbstractAddress(*name, &length);
  if (!socket.valid() ||
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      listen(socket.get(), 64) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot listen on {}", *name));
  }
  return socket;
}

absl::StatusOr<ScopedFd> ConnectToUnixSocket(const std::string& name, TimePoint deadline) {
  if (name.size() < 2 || name[0] != '@' || name.size() > sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not the name of an abstract socket ('@...')", name));
  }
  ScopedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  socklen_t length = 0;
  const sockaddr_un address = AbstractAddress(name, &length);
  // A listener that stands still has room for a few connections; the next one waits.
  int error = socket.valid() && LimitSends(socket.get(), deadline) ? EINTR : errno;
  while (error == EINTR && std::chrono::steady_clock::now() < deadline) {
    const int rc = connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length);
    if (rc == 0) return socket;
    error = errno;
  }
  const std::string message =
      fmt::format("cannot connect to {}: {}", name, std::generic_category().message(error));
  if (error == ECONNREFUSED) return absl::NotFoundError(message);
  if (error == EAGAIN || error == EINTR) return absl::DeadlineExceededError(message);
  return absl::UnavailableError(message);
}

bool PeerIsSameUser(const ScopedFd& socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == geteuid();
}

absl::Status SendPacket(const ScopedFd& socket, std::span<const std::byte> packet, int fd) {
  iovec part{const_cast<std::byte*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  if (sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return absl::OkStatus();
  if (errno == EAGAIN || errno == EINTR) {
    return absl::ResourceExhaustedError("the socket of a segment's owner is full");
  }
  return absl::UnavailableError(
      fmt::format("the connection to a segment broke: {}", std::generic_category().message(errno)));
}

absl::Status SendPacketBy(TimePoint deadline, const ScopedFd& socket,
                          std::span<const std::byte> packet) {
  absl::Status sent = SendPacket(socket, packet);
  while (absl::IsResourceExhausted(sent)) {
    if (!WaitForSocket(socket.get(), POLLOUT, deadline)) {
      return absl::DeadlineExceededError("the owner of a segment takes no more requests");
    }
    sent = SendPacket(socket, packet);
  }
  return sent;
}

void AwaitPromptPacket(const ScopedFd& socket, TimePoint deadline) {
  WaitAwake(std::min(deadline, Clock::Real().Now() + kPrompt), [&] {
    char byte = 0;
    return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
  });
}

absl::StatusOr<size_t> ReceivePacket(const ScopedFd& socket, std::span<std::byte> buffer,
                                     TimePoint deadline, ScopedFd* fd) {
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  if (fd != nullptr) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  ssize_t length = -1;
  do {
    length = recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && errno == EAGAIN && !WaitForSocket(socket.get(), POLLIN, deadline)) {
      return absl::DeadlineExceededError("the owner of a segment does not answer");
    }
  } while (length < 0 && (errno == EAGAIN || errno == EINTR));
  if (length <= 0) {
    return absl::UnavailableError(
        fmt::format("the connection to a segment broke: {}",
                    length == 0 ? "closed" : std::generic_category().message(errno)));
  }
  const cmsghdr* header = fd == nullptr ? nullptr : CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int received = -1;
    std::memcpy(&received, CMSG_DATA(header), sizeof(received));
    *fd = ScopedFd(received);
  }
  return static_cast<size_t>(length);
}

}  // namespace tandem::transfer
