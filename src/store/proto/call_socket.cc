#include "store/proto/call_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/socket_wait.h"
#include "base/status.h"

namespace tandem::store {
namespace {

absl::Status Broken() { return absl::UnavailableError("the connection to the master broke"); }

ssize_t Peek(const ScopedFd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

absl::Status SendPlain(const ScopedFd& socket, std::string_view head, std::string_view body,
                       TimePoint deadline) {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                    {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  size_t left = head.size() + body.size();
  while (left > 0) {
    const ssize_t sent = sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    const int error = sent < 0 ? errno : 0;
    if (error == EAGAIN && !WaitForSocket(socket.get(), POLLOUT, deadline)) {
      return absl::DeadlineExceededError("the master does not take a call");
    }
    if (error != 0 && error != EAGAIN && error != EINTR) return Broken();
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

absl::StatusOr<size_t> ReceivePlain(const ScopedFd& socket, char* bytes, size_t size,
                                    TimePoint deadline) {
  while (true) {
    const ssize_t length = recv(socket.get(), bytes, size, MSG_DONTWAIT);
    if (length > 0) return static_cast<size_t>(length);
    if (length == 0) return absl::UnavailableError("the connection to the master was closed");
    const int error = errno;
    if (error == EAGAIN && !WaitForSocket(socket.get(), POLLIN, deadline)) {
      return absl::DeadlineExceededError("the master does not answer");
    }
    if (error != EAGAIN && error != EINTR) return Broken();
  }
}

}  // namespace

absl::Status CallSocket::ConnectTls(const TlsContext& context, const std::string& host,
                                    TimePoint deadline) {
  tls_ = std::make_unique<TlsConnection>(socket_.get(), context);
  return tls_->Connect(host, deadline);
}

absl::Status CallSocket::AcceptTls(const TlsContext& context, TimePoint deadline) {
  tls_ = std::make_unique<TlsConnection>(socket_.get(), context);
  return tls_->Accept(deadline);
}

absl::Status CallSocket::Send(std::string_view head, std::string_view body, TimePoint deadline) {
  return tls_ == nullptr ? SendPlain(socket_, head, body, deadline)
                         : tls_->Send(head, body, deadline);
}

absl::Status CallSocket::Receive(char* bytes, size_t size, TimePoint deadline, bool* got_any) {
  while (size > 0) {
    ASSIGN_OR_RETURN(const size_t length, tls_ == nullptr
                                              ? ReceivePlain(socket_, bytes, size, deadline)
                                              : tls_->Receive(bytes, size, deadline));
    *got_any = true;
    bytes += length;
    size -= length;
  }
  return absl::OkStatus();
}

bool CallSocket::HasCome() const {
  return (tls_ != nullptr && tls_->HasPending()) || Peek(socket_) >= 0 || errno != EAGAIN;
}

bool CallSocket::IsClosed() const {
  return (tls_ == nullptr || !tls_->HasPending()) && Peek(socket_) == 0;
}

}  // namespace tandem::store
