#include "store/proto/call_channel.h"

#include "store/proto/message_limits.h"

namespace tandem::store {
namespace {

constexpr size_t kMaxIdle = 16;

}  // namespace

CallChannel::Connection CallChannel::TakeConnection(TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    while (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      // Nobody is owed an answer: what came is the end, or of no use.
      if (!connection.socket.HasCome()) return connection;
    }
  }
  return {connect_(deadline), {}};
}

std::optional<absl::StatusOr<std::string>> CallChannel::Call(HotCall call,
                                                             const std::string& request,
                                                             TimePoint deadline) {
  Connection connection = TakeConnection(deadline);
  CallSocket& socket = connection.socket;
  if (!socket.valid()) return std::nullopt;
  const absl::Status sent = SendFrame(socket, static_cast<uint32_t>(call), request, deadline);
  if (absl::IsUnavailable(sent)) return std::nullopt;
  if (!sent.ok()) return sent;
  absl::StatusOr<CallFrame> reply =
      ReceiveFrame(socket, deadline, kMaxMessageBytes, &connection.pace);
  // A master that closes a new connection unanswered has too many of them, or is going: what it
  // did already it is asked once more, which is as if the network had lost the reply.
  if (absl::IsNotFound(reply.status())) return std::nullopt;
  if (!reply.ok()) return reply.status();
  {
    MutexLock lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
  }
  if (reply->tag == 0) return std::move(reply->payload);
  return absl::Status(static_cast<absl::StatusCode>(reply->tag), reply->payload);
}

}  // namespace tandem::store
