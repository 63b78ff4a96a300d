#include "store/proto/local_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tandem::store {
namespace {

// Whoever comes later calls over gRPC.
constexpr size_t kMaxConnections = 256;
constexpr Duration kSendTimeout = std::chrono::seconds(5);

bool IsSameUser(const ScopedFd& socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == geteuid();
}

bool StillWaits(const ScopedFd& caller) {
  char byte = 0;
  return recv(caller.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const std::string& name,
                                                                Handler handler) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin() + 1, name.end(), address.sun_path + 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ScopedFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid() ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      listen(listener.get(), 64) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot listen on {}", name));
  }
  std::unique_ptr<LocalServer> server(new LocalServer(std::move(listener), std::move(handler)));
  server->acceptor_ = std::thread([self = server.get()] { self->Accept(); });
  return server;
}

LocalServer::~LocalServer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) {
      shutdown(connection.socket.get(), SHUT_RDWR);
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

void LocalServer::Accept() {
  while (true) {
    ScopedFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int error = socket.valid() ? 0 : errno;
    if (!Take(std::move(socket))) return;
    // Out of descriptors, say: others may give some back.
    if (error == EMFILE || error == ENFILE || error == ENOMEM) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

bool LocalServer::Take(ScopedFd socket) {
  MutexLock lock(mutex_);
  if (stopping_) return false;
  Reap();
  if (!socket.valid() || connections_.size() == kMaxConnections || !IsSameUser(socket)) return true;
  Connection& connection = connections_.emplace_back();
  connection.socket = std::move(socket);
  connection.thread = std::thread([this, &connection] { Serve(connection); });
  return true;
}

void LocalServer::Reap() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto current = it++;
    if (!current->ended) continue;
    current->thread.join();
    connections_.erase(current);
  }
}

void LocalServer::Serve(Connection& connection) {
  while (true) {
    const absl::StatusOr<LocalFrame> call = ReceiveFrame(connection.socket, TimePoint::max());
    // Who gave up, while this process stood still say, would not learn what it has been given.
    if (!call.ok() || !StillWaits(connection.socket)) break;
    absl::StatusOr<std::string> response =
        handler_(static_cast<LocalCall>(call->tag), call->payload);
    const std::string payload =
        response.ok() ? *std::move(response) : std::string(response.status().message());
    if (!SendFrame(connection.socket, static_cast<uint32_t>(response.status().code()), payload,
                   Clock::Real().Now() + kSendTimeout)
             .ok()) {
      break;
    }
  }
  MutexLock lock(mutex_);
  shutdown(connection.socket.get(), SHUT_RDWR);
  connection.ended = true;
}

}  // namespace tandem::store
