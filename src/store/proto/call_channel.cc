#include "store/proto/call_channel.h"

#include <sys/socket.h>

#include <cerrno>

#include "store/proto/message_limits.h"

namespace tandem::store {
namespace {

constexpr size_t kMaxIdle = 16;

bool IsAlive(const ScopedFd& socket) {
  char byte = 0;
  return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace

ScopedFd CallChannel::TakeConnection(TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    while (!idle_.empty()) {
      ScopedFd socket = std::move(idle_.back());
      idle_.pop_back();
      if (IsAlive(socket)) return socket;
    }
  }
  return connect_(deadline);
}

std::optional<absl::StatusOr<std::string>> CallChannel::Call(HotCall call,
                                                             const std::string& request,
                                                             TimePoint deadline) {
  ScopedFd socket = TakeConnection(deadline);
  if (!socket.valid()) return std::nullopt;
  const absl::Status sent = SendFrame(socket, static_cast<uint32_t>(call), request, deadline);
  if (absl::IsUnavailable(sent)) return std::nullopt;
  if (!sent.ok()) return sent;
  absl::StatusOr<CallFrame> reply = ReceiveFrame(socket, deadline, kMaxMessageBytes);
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
