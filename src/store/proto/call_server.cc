#include "store/proto/call_server.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/accept_error.h"
#include "store/proto/message_limits.h"

namespace tandem::store {
namespace {

// Whoever comes later calls over gRPC.
constexpr size_t kMaxConnections = 256;
constexpr Duration kSendTimeout = std::chrono::seconds(5);

}  // namespace

CallServer::CallServer(ScopedFd listener, Admission admit, Handler handler)
    : listener_(std::move(listener)),
      admit_(std::move(admit)),
      handler_(std::move(handler)),
      acceptor_([this] { Accept(); }) {}

CallServer::~CallServer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) {
      shutdown(connection.socket.descriptor().get(), SHUT_RDWR);
    }
  }
  shutdown(listener_.get(), SHUT_RDWR);  // has accept return
  acceptor_.join();
  // Nobody adds to them any more, and their threads only mark them as ended.
  std::list<Connection> connections;
  {
    MutexLock lock(mutex_);
    connections.swap(connections_);
  }
  for (Connection& connection : connections) connection.thread.join();
}

void CallServer::Accept() {
  while (true) {
    ScopedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int error = socket.valid() ? 0 : errno;
    if (!Take(std::move(socket))) return;
    if (LeavesConnectionQueued(error)) std::this_thread::sleep_for(kAcceptAgainAfter);
  }
}

bool CallServer::Take(ScopedFd socket) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  Reap();
  if (!socket.valid() || connections_.size() == kMaxConnections) return true;
  Connection& connection = connections_.emplace_back();
  connection.socket = CallSocket(std::move(socket));
  connection.thread = std::thread([this, &connection] { Serve(connection); });
  return true;
}

void CallServer::Reap() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    if (!current->ended) continue;
    current->thread.join();
    connections_.erase(current);
  }
}

void CallServer::Serve(Connection& connection) {
  FramePace pace;
  bool goes_on = admit_(connection.socket);
  while (goes_on) {
    const absl::StatusOr<CallFrame> call =
        ReceiveFrame(connection.socket, TimePoint::max(), kMaxMessageBytes, &pace);
    // Who gave up, while this process stood still say, would not learn what it has been given.
    if (!call.ok() || connection.socket.IsClosed()) break;
    absl::StatusOr<std::string> response = handler_(static_cast<HotCall>(call->tag), call->payload);
    const std::string payload =
        response.ok() ? *std::move(response) : std::string(response.status().message());
    goes_on = SendFrame(connection.socket, static_cast<uint32_t>(response.status().code()), payload,
                        Clock::Real().Now() + kSendTimeout)
                  .ok();
  }
  MutexLock lock(mutex_);
  shutdown(connection.socket.descriptor().get(), SHUT_RDWR);
  connection.ended = true;
}

}  // namespace tandem::store
