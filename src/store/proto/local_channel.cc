#include "store/proto/local_channel.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "store/proto/message_limits.h"

namespace tandem::store {
namespace {

constexpr size_t kMaxIdle = 16;

struct FrameHeader {
  uint32_t tag;
  uint32_t length;
};

bool WaitFor(int fd, short events, TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Real().Now());
    pollfd waited{fd, events, 0};
    const int ready =
        poll(&waited, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready == 0 && Clock::Real().Now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

absl::Status Broken(const char* what) {
  return absl::UnavailableError(fmt::format("the connection to the master on this host {}", what));
}

/// Fills `bytes`; `got_any` tells whether some came before the other end closed.
absl::Status Receive(int fd, char* bytes, size_t size, TimePoint deadline, bool* got_any) {
  while (size > 0) {
    const ssize_t length = recv(fd, bytes, size, MSG_DONTWAIT);
    if (length == 0) return Broken("was closed");
    if (length < 0 && errno == EAGAIN && !WaitFor(fd, POLLIN, deadline)) {
      return absl::DeadlineExceededError("the master on this host does not answer");
    }
    if (length < 0 && errno != EAGAIN && errno != EINTR) return Broken("broke");
    if (length <= 0) continue;
    *got_any = true;
    bytes += length;
    size -= static_cast<size_t>(length);
  }
  return absl::OkStatus();
}

ScopedFd ConnectTo(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin() + 1, name.end(), address.sun_path + 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ScopedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred peer{};
  socklen_t peer_length = sizeof(peer);
  // A master whose queue of connections is full is asked over the network.
  if (!socket.valid() ||
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_length) != 0 ||
      peer.uid != geteuid()) {
    return ScopedFd();
  }
  return socket;
}

bool IsAlive(const ScopedFd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool BelongsHere(const addrinfo& address) {
  const ScopedFd probe(socket(address.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return probe.valid() && bind(probe.get(), address.ai_addr, address.ai_addrlen) == 0;
}

}  // namespace

std::vector<std::string> LocalChannelNames(const std::string& address, int port) {
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  const std::string bare = bracketed ? address.substr(1, address.size() - 2) : address;
  const std::string host = bare == "localhost" ? "127.0.0.1" : bare;
  const addrinfo hints{.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  char numeric[NI_MAXHOST] = {};
  if (!BelongsHere(*found) || getnameinfo(found->ai_addr, found->ai_addrlen, numeric,
                                          sizeof(numeric), nullptr, 0, NI_NUMERICHOST) != 0) {
    return {};
  }
  const std::string any = fmt::format("@tandem-master-*:{}", port);
  if (std::strcmp(numeric, "0.0.0.0") == 0 || std::strcmp(numeric, "::") == 0) return {any};
  return {fmt::format("@tandem-master-{}:{}", numeric, port), any};
}

absl::Status SendFrame(const ScopedFd& socket, uint32_t tag, std::string_view payload,
                       TimePoint deadline) {
  FrameHeader header{tag, static_cast<uint32_t>(payload.size())};
  iovec parts[2] = {{&header, sizeof(header)}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  size_t left = sizeof(header) + payload.size();
  while (left > 0) {
    const ssize_t sent = sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN && !WaitFor(socket.get(), POLLOUT, deadline)) {
      return absl::DeadlineExceededError("the master on this host does not take a call");
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return Broken("broke");
    if (sent <= 0) continue;
    left -= static_cast<size_t>(sent);
    auto rest = static_cast<size_t>(sent);
    for (iovec& part : parts) {
      const size_t done = std::min(rest, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + done;
      part.iov_len -= done;
      rest -= done;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LocalFrame> ReceiveFrame(const ScopedFd& socket, TimePoint deadline) {
  FrameHeader header;
  bool got_any = false;
  absl::Status status =
      Receive(socket.get(), reinterpret_cast<char*>(&header), sizeof(header), deadline, &got_any);
  if (!status.ok() && !got_any && absl::IsUnavailable(status)) {
    return absl::NotFoundError(status.message());
  }
  RETURN_IF_ERROR(status);
  if (header.length > kMaxMessageBytes) return Broken("carries what is too long");
  LocalFrame frame{header.tag, std::string(header.length, '\0')};
  RETURN_IF_ERROR(
      Receive(socket.get(), frame.payload.data(), frame.payload.size(), deadline, &got_any));
  return frame;
}

ScopedFd LocalChannel::TakeConnection() {
  {
    MutexLock lock(mutex_);
    while (!idle_.empty()) {
      ScopedFd socket = std::move(idle_.back());
      idle_.pop_back();
      if (IsAlive(socket)) return socket;
    }
  }
  for (const std::string& name : names_) {
    ScopedFd socket = ConnectTo(name);
    if (socket.valid()) return socket;
  }
  return ScopedFd();
}

std::optional<absl::StatusOr<std::string>> LocalChannel::Call(LocalCall call,
                                                              const std::string& request,
                                                              TimePoint deadline) {
  ScopedFd socket = TakeConnection();
  if (!socket.valid()) return std::nullopt;
  const absl::Status sent = SendFrame(socket, static_cast<uint32_t>(call), request, deadline);
  if (absl::IsUnavailable(sent)) return std::nullopt;
  if (!sent.ok()) return sent;
  absl::StatusOr<LocalFrame> reply = ReceiveFrame(socket, deadline);
  // A master that closes a new connection unanswered has too many of them, or is going: what it
  // did already it is asked once more, which is as if the network had lost the reply.
  if (absl::IsNotFound(reply.status())) return std::nullopt;
  if (!reply.ok()) return reply.status();
  {
    MutexLock lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(socket));
  }
  if (reply->tag == 0) return std::move(reply->payload);
  return absl::Status(static_cast<absl::StatusCode>(reply->tag), reply->payload);
}

}  // namespace tandem::store
